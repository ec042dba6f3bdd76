#include "location/spooled.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>

#include "base/system.hpp"

namespace kist::location {
namespace {

constexpr std::size_t kInMemory = 1 << 20;

}  // namespace

Status Spooled::write(std::span<const std::byte> bytes) {
  size_ += bytes.size();
  if (!file_) {
    if (size_ <= kInMemory) {
      beginning_.insert(beginning_.end(), bytes.begin(), bytes.end());
      return {};
    }
    std::string path = (scratch_ / "upload-XXXXXX").string();
    file_.reset(::mkostemp(path.data(), O_CLOEXEC));
    if (!file_) return fail_errno(fmt::format("cannot make a file in {}", scratch_.string()));
    (void)os::unlinkat(AT_FDCWD, path.c_str(), 0);
    KIST_TRY(write_all(file_.get(), beginning_, "what is to be sent"));
    beginning_ = {};
  }
  return write_all(file_.get(), bytes, "what is to be sent");
}

Status Spooled::finish() {
  if (!file_) return send_({.bytes = beginning_});
  return send_({.bytes = {}, .file = file_.get(), .offset = 0, .size = size_});
}

}  // namespace kist::location
