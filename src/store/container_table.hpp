// What a container holds by its own table, the one place where that stands when the index is lost: a pack's at its end,
// an adopted file's beside it.
//
// An adopted file may have any number of chunks, so a table is read in pieces, never whole.
#pragma once

#include <functional>
#include <string>

#include "store/index.hpp"

namespace kist::store {

// Immutable; each() may be called by several threads.
class ContainerTable {
 public:
  // Opens the table of containers/FILE and reads it once: all of it is as it should be, its checksum, the name it has,
  // and that it accounts for every byte of the container. Errors: not_found, corrupt, unsupported (a newer kist's), io.
  static Result<ContainerTable> open(const StoreDirectory& directory, const std::string& file);

  const Container& container() const { return container_; }
  std::uint32_t frames() const { return frames_; }
  // Codec::zstd: none of the frames is of LZ4.
  Codec codec() const { return codec_; }

  // Calls `each` for every frame, in the order in which they lie, until it fails: with a container number of 0.
  // Errors: those of `each`; corrupt, io: the table is not as it was when it was opened.
  using Each = std::function<Status(const IndexRecord&)>;
  Status each(const Each& each) const;

 private:
  ContainerTable() = default;
  Status check();
  Status read(const std::function<void(ByteSpan)>& piece, const Each& each) const;

  Container container_;
  FileDescriptor file_;  // that has the table
  std::string path_;     // of it, for errors
  std::uint64_t records_at_ = 0;
  std::uint32_t frames_ = 0;
  Codec codec_ = Codec::zstd;
};

}  // namespace kist::store
