#include "task/progress.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <string_view>

#include <fcntl.h>
#include <unistd.h>

namespace kist::task {
namespace {

constexpr std::size_t kLongestProgress = 64;

// "N/M" with 0 <= N <= M, M > 0.
bool is_progress(std::string_view text) {
  auto slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  std::uint64_t done = 0;
  std::uint64_t all = 0;
  auto number = [](std::string_view digits, std::uint64_t& value) {
    auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return error == std::errc() && end == digits.data() + digits.size();
  };
  return number(text.substr(0, slash), done) && number(text.substr(slash + 1), all) && all > 0 && done <= all;
}

}  // namespace

std::optional<std::string> read_progress(sandbox::Sandbox& sandbox, const std::filesystem::path& inside) {
  auto file = sandbox.open_inside(inside, O_RDONLY | O_NONBLOCK, 0);
  if (!file) return std::nullopt;
  // Its last line: some write one after the other.
  const off_t size = ::lseek(file->get(), 0, SEEK_END);
  std::array<char, kLongestProgress> buffer{};
  const auto count = ::pread(file->get(), buffer.data(), buffer.size(), std::max<off_t>(size - kLongestProgress, 0));
  if (count <= 0) return std::nullopt;
  std::string_view text(buffer.data(), static_cast<std::size_t>(count));
  while (text.ends_with('\n') || text.ends_with(' ')) text.remove_suffix(1);
  text.remove_prefix(std::min(text.size(), text.rfind('\n') + 1));
  return is_progress(text) ? std::optional(std::string(text)) : std::nullopt;
}

}  // namespace kist::task
