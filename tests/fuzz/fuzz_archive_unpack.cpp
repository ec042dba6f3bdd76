// Whatever the bytes are, nothing appears beside the directory they are unpacked into, nor is anything left that the
// limits forbid; and what was unpacked settles, or says why not.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include <unistd.h>

#include "archive/unpack.hpp"
#include "base/file.hpp"

namespace fs = std::filesystem;

namespace {

void expect_only(const fs::path& directory, const fs::path& name) {
  for (const auto& entry : fs::directory_iterator(directory))
    if (entry.path().filename() != name) __builtin_trap();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const fs::path parent = fs::exists("/dev/shm") ? "/dev/shm" : fs::temp_directory_path();
  auto scratch = kist::ScratchDirectory::make(parent, "kist-fuzz-").value();
  fs::path above = scratch.path() / "above";
  fs::path directory = above / "directory";
  fs::create_directory(above);
  auto bytes = std::as_bytes(std::span(data, size));
  (void)kist::archive::is_tar_gzip(bytes);
  kist::archive::UnpackOptions options;
  options.most_bytes = 1 << 20;
  options.most_entries = 100;
  auto unpacked = kist::archive::unpack(bytes, "archive", directory, options);
  expect_only(scratch.path(), "above");
  expect_only(above, "directory");
  if (unpacked) {
    if (unpacked->bytes > options.most_bytes || unpacked->entries > options.most_entries) __builtin_trap();
    if (kist::archive::settle(*unpacked, directory, above / "settled")) expect_only(above, "settled");
  }
  return 0;
}
