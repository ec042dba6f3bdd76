#include "store/rescue.hpp"

namespace kist::store {

Status Rescue::open(const Container& container) {
  container_ = container;
  path_ = parts_.directory.show(container.path());
  KIST_TRY_ASSIGN(file_, parts_.directory.open_file(container.path(), O_RDONLY));
  return {};
}

Status Rescue::copy(const IndexRecord& frame, Damage damage) {
  auto read = [&]() -> Status {
    KIST_TRY(parts_.chunks.read_frame(file_.get(), path_, frame, chunk_));
    if (container_.kind == Container::Kind::adopted) return {};
    frame_.resize(frame.stored);
    return read_fully(file_.get(), frame_.data(), frame_.size(), frame.offset, path_);
  }();
  const bool is_damage = !read && (read.error().kind == ErrorKind::corrupt || read.error().kind == ErrorKind::io);
  if (is_damage && damage == Damage::is_left_out) return {};
  KIST_TRY(read);
  if (container_.kind == Container::Kind::adopted || codec_of(frame_, frame.length) == Codec::lz4)
    KIST_TRY(pending_.put(chunk_));
  else
    KIST_TRY(pending_.add(Pending::NewChunk{frame.id, frame_, chunk_.size()}));
  return pending_.chunks() >= kMostUnpublished ? publish() : Status();
}

Status Rescue::publish() {
  KIST_TRY_ASSIGN(auto publication, pending_.take());
  for (const SealedPack& pack : publication.packs) written_ += pack.container.size;
  written_ += publication.frames.size();
  KIST_TRY(parts_.publisher.publish(publication));
  pending_.published();
  return {};
}

}  // namespace kist::store
