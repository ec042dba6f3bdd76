// Small shell scripts that stand in for programs of well-known images. They lie in a directory of their own at the end
// of a task's PATH, so a program that this machine has always wins.
#pragma once

#include <string_view>

namespace kist::task {

inline constexpr const char* kStandInDirectory = "/.kist/bin";

// The script for one of the programs `python`, `cowsay` and `argosay`.
std::string_view stand_in(std::string_view program);

// Where its image has it, for files that name it so; empty: only on PATH.
std::string_view place_in_image(std::string_view program);

}  // namespace kist::task
