// The command line, from the program's name to its exit code: 0 success, 1 the workflow failed, 2 wrong usage or input,
// 3 kist itself could not, 128 + signal after a signal.
#pragma once

namespace kist::cli {

int main(int argument_count, char** arguments);

}  // namespace kist::cli
