// Archives as streams out: entry by entry into a sink, so that an artifact of any size is packed without being on disk
// twice. The same entries give the same bytes: owners are 0, and times are only those given.
//
// What Argo calls a directory artifact is the entries `NAME/`, then `NAME/…`; a file artifact is the one entry `NAME`
// (Argo: the base name of the artifact's path); zip likewise. The caller names them so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "archive/deflate.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace kist::archive {

struct Header {
  std::string path;        // relative, '/'-separated, without a '/' at its end; any bytes but NUL
  std::uint32_t mode = 0;  // permission bits, 07777
  Time modified;
  std::vector<std::pair<std::string, std::string>> attributes = {};  // extended ones, name and value
};

// Not thread-safe. After an error nothing more may be written. A compressing writer calls its sink from a thread of its
// own, until finish() or destruction.
class Writer {
 public:
  virtual ~Writer() = default;
  virtual Status add_directory(const Header& header) = 0;
  virtual Status add_link(const Header& header, std::string_view target) = 0;
  // Another name of a file that was added before, which has the same header but for its path. Only where the archive
  // has such.
  virtual bool has_hard_links() const = 0;
  virtual Status add_hard_link(const Header& header, std::string_view target) = 0;
  // Then exactly `size` bytes by write(), before anything else: the next call fails (io) where they are fewer or more.
  virtual Status add_file(const Header& header, std::uint64_t size) = 0;
  virtual Status write(std::span<const std::byte> bytes) = 0;
  // Writes what belongs at the end.
  virtual Status finish() = 0;
};

// POSIX tar: ustar headers, and PAX records for what does not fit them: long names and link targets, files of 8 GiB and
// more, times with fractions of a second or outside ustar's range, extended attributes (as SCHILY.xattr.NAME, which GNU
// tar, bsdtar and star read).
std::unique_ptr<Writer> make_tar_writer(Sink sink);
// The same inside gzip. Errors: invalid (level).
Result<std::unique_ptr<Writer>> make_tar_gzip_writer(Sink sink, Level level = kUsualLevel);
// The same inside zstd. Errors: invalid (level: 1 to 19).
Result<std::unique_ptr<Writer>> make_tar_zstd_writer(Sink sink, Level level = kUsualLevel);
// Zip: deflated, readable as a stream (sizes follow the data), zip64 where needed, with Unix modes, links and times. It
// has no hard links and no extended attributes.
Result<std::unique_ptr<Writer>> make_zip_writer(Sink sink, Level level = kUsualLevel);

}  // namespace kist::archive
