#include "store/rescue.hpp"

namespace kist::store {
namespace {
constexpr std::size_t kMostRescued = 128 << 10;  // chunks before they are published: 13 MB of table
}

Status Rescue::copy(const Container& container, std::span<const IndexRecord> frames,
                    const std::function<bool(const IndexRecord&)>& wanted) {
  const std::string path = parts_.directory.show(container.path());
  KIST_TRY_ASSIGN(auto file, parts_.directory.open_file(container.path(), O_RDONLY));
  Bytes chunk;
  Bytes frame;
  for (const IndexRecord& record : frames) {
    if (!wanted(record)) continue;
    KIST_TRY(parts_.chunks.read_frame(file.get(), path, record, chunk));
    if (container.kind == Container::Kind::adopted) {
      KIST_TRY(pending_.put(chunk));
    } else {
      frame.resize(record.stored);
      KIST_TRY(read_fully(file.get(), frame.data(), frame.size(), record.offset, path));
      KIST_TRY(pending_.add(record.id, frame, chunk.size()));
    }
    if (pending_.chunks() >= kMostRescued) KIST_TRY(publish());
  }
  return {};
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
