#include "task/out_of_memory.hpp"

#include <charconv>
#include <string_view>

#include "base/file.hpp"

namespace kist::task {

std::uint64_t count_killed_for_memory() {
  constexpr std::string_view kName = "oom_kill ";
  auto text = read_file("/proc/vmstat", 1 << 20);
  if (!text) return 0;
  auto found = text->find(kName);
  std::uint64_t count = 0;
  if (found != std::string::npos)
    std::from_chars(text->data() + found + kName.size(), text->data() + text->size(), count);
  return count;
}

}  // namespace kist::task
