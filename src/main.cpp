#include "cli/commands/main.hpp"

int main(int argument_count, char** arguments) {
  return kist::cli::main(argument_count, arguments);
}
