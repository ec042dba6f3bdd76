// What the kernel did for lack of memory.
#pragma once

#include <cstdint>

namespace kist::task {

// How many processes it ended on this machine.
std::uint64_t count_killed_for_memory();

}  // namespace kist::task
