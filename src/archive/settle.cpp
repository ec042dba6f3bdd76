// What becomes of an unpacked directory, and what is unpacked unasked: the two rules of Argo's loading.
#include <cerrno>
#include <charconv>
#include <cstdio>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive/gunzip.hpp"
#include "archive/unpack.hpp"
#include "base/file.hpp"
#include "base/utf8.hpp"

namespace kist::archive {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kTarBlock = 512;
constexpr std::size_t kBeginning = 64 * 1024;

// A directory can be moved only while its owner may write to it. Opens it up and gives back its mode; nullopt for
// others.
std::optional<mode_t> open_up(const fs::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return std::nullopt;
  ::chmod(path.c_str(), (status.st_mode & 07777) | 0700);
  return status.st_mode & 07777;
}

Status make_room(const fs::path& target) {
  struct stat status{};
  if (::lstat(target.c_str(), &status) != 0)
    return errno == ENOENT ? Status() : fail_errno(fmt::format("cannot look at {}", target.string()));
  if (!S_ISDIR(status.st_mode)) return fail(ErrorKind::conflict, fmt::format("{} exists already", target.string()));
  if (::rmdir(target.c_str()) != 0) return fail_errno(fmt::format("cannot replace {}", target.string()));
  return {};
}

bool is_tar_header(std::span<const std::byte, kTarBlock> block) {
  constexpr std::size_t checksum_at = 148;
  constexpr std::size_t checksum_size = 8;
  std::uint32_t sum = 0;
  std::int32_t signed_sum = 0;  // as old programs counted
  for (std::size_t i = 0; i < kTarBlock; ++i) {
    auto byte =
        i >= checksum_at && i < checksum_at + checksum_size ? std::uint8_t{' '} : static_cast<std::uint8_t>(block[i]);
    sum += byte;
    signed_sum += static_cast<std::int8_t>(byte);
  }
  std::string_view field(reinterpret_cast<const char*>(block.data()) + checksum_at, checksum_size);
  field.remove_prefix(std::min(field.find_first_not_of(' '), field.size()));
  std::uint32_t written = 0;
  auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), written, 8);
  return error == std::errc() && (written == sum || written == static_cast<std::uint32_t>(signed_sum));
}

}  // namespace

Status settle(const Unpacked& unpacked, const fs::path& directory, const fs::path& target) {
  if (unpacked.link_out_of_top)
    return fail(ErrorKind::invalid, fmt::format("illegal symlink target: {} leads out of {}",
                                                printable(*unpacked.link_out_of_top), target.string()));
  KIST_TRY(make_room(target));
  fs::path source = unpacked.top ? directory / *unpacked.top : directory;
  auto above = open_up(directory);
  auto mode = unpacked.top ? open_up(source) : above;
  if (::rename(source.c_str(), target.c_str()) != 0)
    return fail_errno(fmt::format("cannot move {} to {}", source.string(), target.string()));
  if (mode && ::chmod(target.c_str(), *mode) != 0)
    return fail_errno(fmt::format("cannot set the mode of {}", target.string()));
  if (unpacked.top && ::rmdir(directory.c_str()) != 0)
    return fail_errno(fmt::format("cannot remove {}", directory.string()));
  return {};
}

bool is_tar_gzip(std::span<const std::byte> beginning) {
  if (!begins_as_gzip(beginning)) return false;
  GzipReader gzip([&]() -> Result<std::span<const std::byte>> { return std::exchange(beginning, {}); });
  std::vector<std::byte> content;
  while (content.size() < kTarBlock) {
    auto more = gzip.next();
    if (!more || more->empty()) return false;
    content.insert(content.end(), more->begin(), more->end());
  }
  return is_tar_header(std::span(content).first<kTarBlock>());
}

Result<bool> is_tar_gzip(const fs::path& path) {
  KIST_TRY_ASSIGN(FileDescriptor file, open_file(path, O_RDONLY | O_NONBLOCK));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return fail_errno(fmt::format("cannot look at {}", path.string()));
  if (!S_ISREG(status.st_mode)) return false;
  std::vector<std::byte> beginning(kBeginning);
  std::size_t size = 0;
  while (size < beginning.size()) {
    ssize_t count = ::read(file.get(), beginning.data() + size, beginning.size() - size);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(fmt::format("cannot read {}", path.string()));
    if (count == 0) break;
    size += static_cast<std::size_t>(count);
  }
  return is_tar_gzip(std::span(beginning).first(size));
}

}  // namespace kist::archive
