#include "cli/version.hpp"

namespace kist::cli {

const std::string_view kVersion = KIST_VERSION;

}  // namespace kist::cli
