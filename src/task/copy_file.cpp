#include "task/copy_file.hpp"

#include <array>
#include <span>

#include <fmt/format.h>
#include <unistd.h>

namespace kist::task {

namespace {

constexpr std::size_t kMostAtOnce = 1 << 30;

Status copy_by_hand(const FileDescriptor& from, const FileDescriptor& to, const std::filesystem::path& path) {
  std::array<std::byte, 1 << 16> buffer;
  for (;;) {
    auto count = ::read(from.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(fmt::format("cannot read {}", path.string()));
    if (count == 0) return {};
    KIST_TRY(write_all(to.get(), std::span(buffer.data(), static_cast<std::size_t>(count)), path.string()));
  }
}

}  // namespace

Status copy_content(const FileDescriptor& from, const FileDescriptor& to, const std::filesystem::path& path) {
  for (;;) {
    auto copied = ::copy_file_range(from.get(), nullptr, to.get(), nullptr, kMostAtOnce, 0);
    if (copied == 0) return {};
    if (copied > 0 || errno == EINTR) continue;
    if (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP) return copy_by_hand(from, to, path);
    return fail_errno(fmt::format("cannot copy {}", path.string()));
  }
}

Status copy_mode_and_times(const struct stat& from, const FileDescriptor& to, const std::filesystem::path& path) {
  const std::array times{from.st_atim, from.st_mtim};
  if (::fchmod(to.get(), from.st_mode & 07777) != 0 || ::futimens(to.get(), times.data()) != 0)
    return fail_errno(fmt::format("cannot set the mode and time of the copy of {}", path.string()));
  return {};
}

}  // namespace kist::task
