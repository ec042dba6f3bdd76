// The contents of files on their way into a transaction: read into batches, whose chunks come back from the pipeline a
// little later, in order. So a small file costs a read and a look whether it changed, and nothing waits for a chunk but
// the file it is of.
//
// A file to be adopted is only hashed; whether it is worth it shows in its first batch (does it compress, is it known?)
// and at its end (did most of it prove to be known?). A wrong guess costs reading it again.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <sys/stat.h>

#include "store/adoption.hpp"
#include "store/chunk_list.hpp"
#include "store/pipeline.hpp"
#include "store/saver.hpp"

namespace kist::store {

// The content of one file while it is read and its chunks are under way. Must stay where it is as long as some are.
struct ContentUnderWay {
  ChunkListWriter list;
  std::size_t outstanding = 0;  // pieces in the pipeline

  struct Adoption {
    AdoptionTable table;
    enum class State { undecided, accepted, refused } state = State::undecided;
    std::uint64_t known = 0;  // bytes of chunks that the store has
  };
  std::optional<Adoption> adoption;
};

// Whether a file is the same one and was not changed, by what the kernel said of it before and after.
bool unchanged(const struct stat& before, const struct stat& after);

// Not thread-safe.
class ContentReader {
 public:
  // `context` must outlive it.
  explicit ContentReader(const SaveContext& context);

  // Whether a file may become a container as it is: by what it is, whoever it belongs to.
  bool may_adopt(const struct stat& status) const;

  enum class Outcome { kept, changed };
  struct How {
    bool adopt = false;    // the file may be adopted
    bool as_read = false;  // up to the size that `status` says, though it may change meanwhile
  };
  // Reads an open file whose status was just looked at. The chunks of what is kept go to the content's list as they
  // arrive; settled() when none is outstanding. `changed`: it did while it was read, and the content is as it was
  // before. Errors: without the file's path.
  Result<Outcome> read(ContentUnderWay& content, int file, const struct stat& status, const How& how);

  // Brings all chunks that were read into the transaction: afterwards none is outstanding of any content.
  Status settle();

 private:
  enum class Ending { kept, changed, not_adopted };

  Result<Ending> read_small(ContentUnderWay& content, int file, const struct stat& status, bool as_read);
  Result<Ending> read_large(ContentUnderWay& content, int file, const struct stat& status, const How& how);
  Result<Ending> read_segments(ContentUnderWay& content, int file, const struct stat& status);
  Status next_batch(ContentUnderWay& content, std::size_t& start);
  Status stitch(Batch& batch);
  Status follow_chain(ContentUnderWay& content, const Segment& segment, bool only_hash);
  Result<Ending> finish_adoption(ContentUnderWay& content, int file, const struct stat& status);

  Piece& add_piece(ContentUnderWay& content, std::size_t offset, std::size_t length);
  Status submit() { return submit_before(batch_->used); }
  Status submit_before(std::size_t end);
  Status retire_under_way();
  Status retire(std::unique_ptr<Batch> batch);
  Status take_in(std::unique_ptr<Batch> batch);
  Status store(const Batch& batch) const;
  Status publish_if_many();
  Status take_piece(ContentUnderWay& content, const Batch& batch, const Piece& piece);
  Status add_taken();

  const SaveContext& context_;
  Pipeline pipeline_;
  std::unique_ptr<Batch> batch_;
  std::vector<Pending::NewChunk> taken_;  // of the batch that retires
  std::uint64_t chain_end_ = 0;           // of the chunks found of the large file under way, from its beginning
  bool chain_broken_ = false;             // it became shorter meanwhile
};

}  // namespace kist::store
