#include "task/task.hpp"

namespace kist::task {

namespace fs = std::filesystem;

fs::path run_volumes(const fs::path& home, std::string_view run) {
  return home / "volumes" / run;
}

fs::path claimed_volumes(const fs::path& home) {
  return home / "claims";
}

}  // namespace kist::task
