// Archives from outside, unpacked into a directory: tar (plain, or in gzip, zstd, xz, bzip2, lz4) and zip. Nothing in
// an archive is believed: nothing is written outside the directory or through a link, links may not lead out of it, and
// what would fill the disk is an error before it has. (Argo: CVE-2025-62156, CVE-2025-66626.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace kist::archive {

enum class Format { any, tar, zip };

struct UnpackOptions {
  Format format = Format::any;
  std::uint64_t most_entries = 10'000'000;
  std::uint64_t most_bytes = 1ULL << 40;  // of all files together; the caller may know how much room there is
  // Bytes out for each byte in, looked at once a gibibyte is out. One layer of deflate cannot pass 1032.
  std::uint64_t most_ratio = 5000;
};

struct Unpacked {
  std::uint64_t entries = 0;
  std::uint64_t bytes = 0;  // of files
  std::vector<std::string>
      notices;  // what was left out or changed, by path: devices, set-user-id bits. At most 100, then a count
  std::optional<std::string> top;  // the one name at the top, where it is one
  // A link below `top` that leads out of `top`, though not out of the directory: its path.
  std::optional<std::string> link_out_of_top;
};

// Unpacks into `directory`, made where it is missing; an entry replaces what is there of its name, but no directory
// that is not empty. Restores types, modes, links, empty directories and times of modification (to the nanosecond where
// the archive has them); owners are the caller's, set-user-id and set-group-id bits of files are dropped with a notice;
// hard links are made where they name a file of the same archive. Directories the archive does not mention get mode
// 0755. On an error what was unpacked stays, for the caller to remove. Errors: invalid (no archive, damaged, encrypted,
// a path or a link that leads out of the directory, beyond a limit), no_space, denied, io.
Result<Unpacked> unpack(const std::filesystem::path& archive, const std::filesystem::path& directory,
                        const UnpackOptions& options = {});
// The same from memory; `name` is for messages.
Result<Unpacked> unpack(std::span<const std::byte> archive, std::string_view name,
                        const std::filesystem::path& directory, const UnpackOptions& options = {});

// Makes `target` of an unpacked directory as Argo does: where it holds exactly one entry, that entry becomes `target`
// (a file stays a file, its own name is lost), else the directory does. `directory` is gone afterwards. Errors:
// conflict (`target` exists, and is no empty directory), invalid (a link would lead out of `target` then).
Status settle(const Unpacked& unpacked, const std::filesystem::path& directory, const std::filesystem::path& target);

// Whether bytes begin as Argo unpacks them unasked: gzip whose content begins with a tar header (an artifact without
// `archive`). A plain tar, a zip, a gzip of something else and an empty tar.gz are not. 64 KiB from the beginning are
// enough.
bool is_tar_gzip(std::span<const std::byte> beginning);
// The same for a file; false for what is no regular file. Errors: not_found, denied, io.
Result<bool> is_tar_gzip(const std::filesystem::path& file);

}  // namespace kist::archive
