#pragma once

#include <string_view>

namespace kist::cli {

// As CMakeLists.txt has it: "0.1.0".
extern const std::string_view kVersion;

}  // namespace kist::cli
