// What a transaction has stored and not yet published: frames in memory and in packs in tmp/, adopted files, and a
// table of the chunks they hold, so that nothing is stored twice and what was just saved can be read back (to combine
// it).
//
// Memory: a buffer of 1 MiB, and 100 bytes a chunk; the transaction publishes from time to time to bound the latter.
#pragma once

#include <deque>
#include <future>
#include <mutex>

#include <boost/unordered/unordered_flat_map.hpp>

#include "store/publisher.hpp"

namespace kist::store {

// Chunks after which it is to be published: 8 GiB of data, 13 MB of table. Of an adopted file with more the rest is not
// found here before it is.
inline constexpr std::size_t kMostUnpublished = 128 << 10;

// contains() may be called from any thread, also while this is published. So may add(), put() and read(), but not while
// it is taken and published.
class Pending final : public ChunkSource {
 public:
  // The codec is what put() compresses with. All else must outlive it.
  Pending(const StoreDirectory& directory, Lease& lease, Chunks& chunks, Codec codec)
      : directory_(directory), lease_(lease), chunks_(chunks), codec_(codec), set_(chunks.index()) {}

  // Whether a chunk is here, or was in the store when this was made or last taken.
  bool contains(const Digest& id) const;
  std::size_t chunks() const;
  Codec codec() const { return codec_; }

  // A chunk of `length` bytes by its frame.
  struct NewChunk {
    Digest id;
    ByteSpan frame;
    std::size_t length = 0;
  };
  // Adds those that are not contained already. What a write that failed leaves behind cannot be told: after an error
  // nothing more is added, and nothing taken.
  Status add(std::span<const NewChunk> chunks);
  Status add(const NewChunk& chunk) { return add({&chunk, 1}); }
  // Compresses and adds bytes, and returns their id.
  Result<Digest> put(ByteSpan bytes);
  Status add(StagedFile file);

  // Reads from here, or else from the store.
  Status read(const Digest& id, Bytes& out) override;

  // Hands over all of it for publication; it is found in the store afterwards.
  Result<Publication> take();
  void published();

 private:
  struct Place {
    std::uint32_t file = 0;  // counts packs and adopted files in the order they were begun
    std::uint64_t offset = 0;
    std::uint32_t stored = 0;
    std::uint32_t length = 0;
  };
  Status append(std::span<const NewChunk> chunks);
  bool find_place(const NewChunk& chunk);
  Status put_down(std::vector<iovec>& parts);
  Status spill(std::span<iovec> parts);
  Status seal();

  const StoreDirectory& directory_;
  Lease& lease_;
  Chunks& chunks_;
  const Codec codec_;

  std::mutex adding_;         // who has it may change what follows; taken before mutex_
  mutable std::mutex mutex_;  // of set_ and places_, which are read by those who have either
  std::shared_ptr<const IndexSet> set_;
  boost::unordered_flat_map<Digest, Place, std::hash<Digest>> places_;

  std::vector<std::string> files_;     // the name in tmp/, empty while it has none
  std::optional<std::uint32_t> open_;  // the pack that frames go to
  Codec open_codec_ = Codec::zstd;     // lz4: it has frames of LZ4
  std::optional<TemporaryFile> file_;  // once it has grown beyond the buffer
  Bytes buffer_;
  std::uint64_t written_ = 0;  // of file_
  std::uint64_t begun_ = 0;    // of it, up to where the disk was told to begin
  std::uint64_t end_ = 0;      // of the pack, with the buffer
  std::vector<PackRecord> records_;
  std::optional<Error> failed_;
  Publication done_;
  std::deque<std::future<Status>> syncing_;  // of the sealed packs, the oldest first
};

}  // namespace kist::store
