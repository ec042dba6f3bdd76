// The store on disk: puts together what the other files of this folder do.
#include "store/store.hpp"

#include <fmt/format.h>

#include "store/chunker.hpp"
#include "store/chunks.hpp"
#include "store/directory.hpp"
#include "store/inodes.hpp"
#include "store/lease.hpp"
#include "store/publisher.hpp"
#include "store/references.hpp"
#include "store/survey.hpp"
#include "store/transaction.hpp"
#include "store/tree.hpp"
#include "store/views.hpp"
#include "store/writer.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kPiece = 256 << 10;

struct HeldStore final : Hold {
  explicit HeldStore(Lease::Hold held) : hold(std::move(held)) {}
  Lease::Hold hold;
};

class DiskStore final : public Store {
 public:
  explicit DiskStore(StoreDirectory directory) : directory_(std::move(directory)) {}

  Status load(const StoreOptions& options) {
    KIST_TRY_ASSIGN(chunks_, Chunks::open(directory_, lease_));
    publisher_.emplace(directory_, lease_, *chunks_, inodes_);
    views_.emplace(directory_, lease_, *chunks_, inodes_, options.views_budget);
    attributes_ = options.attributes;
    return {};
  }

  Result<std::unique_ptr<Transaction>> begin() override {
    return begin_transaction(directory_, lease_, *chunks_, *publisher_, attributes_);
  }

  Result<std::unique_ptr<Hold>> hold() override {
    KIST_TRY_ASSIGN(auto held, lease_.hold());
    return std::make_unique<HeldStore>(std::move(held));
  }

  Status list(const ArtifactId& id, const ListOptions& options,
              const std::function<bool(const Entry&)>& each) override {
    KIST_TRY_ASSIGN(auto tree, TreeCursor::open(*chunks_, id));
    const std::string& prefix = options.prefix;
    KIST_TRY_ASSIGN(const TreeEntry* entry, tree.find(prefix));
    if (!each(to_entry(*entry)) || entry->type != EntryType::directory) return {};
    const std::string below = prefix.empty() ? "" : prefix + "/";
    if (!prefix.empty()) KIST_TRY(tree.seek(below));
    while (true) {
      KIST_TRY_ASSIGN(entry, tree.next());
      if (entry == nullptr || !lies_in(entry->path, prefix)) return {};
      std::size_t slash = entry->path.find('/', below.size());
      if (!options.recursive && slash != std::string::npos) {
        // Below a subdirectory: go on behind all of it. '0' follows '/'.
        KIST_TRY(tree.seek(entry->path.substr(0, slash) + '0'));
        continue;
      }
      if (!each(to_entry(*entry))) return {};
    }
  }

  Result<Entry> find(const ArtifactId& id, std::string_view path) override {
    KIST_TRY_ASSIGN(auto tree, TreeCursor::open(*chunks_, id));
    KIST_TRY_ASSIGN(const TreeEntry* entry, tree.find(path));
    return to_entry(*entry);
  }

  Status read(const ArtifactId& id, std::string_view path, const Sink& sink, std::uint64_t offset,
              std::uint64_t length) override {
    KIST_TRY_ASSIGN(auto tree, TreeCursor::open(*chunks_, id));
    KIST_TRY_ASSIGN(const TreeEntry* entry, tree.find(path));
    if (entry->type != EntryType::file)
      return fail(ErrorKind::invalid, fmt::format("'{}' is a {}, not a file", path,
                                                  entry->type == EntryType::directory ? "directory" : "link"));
    const std::uint64_t size = entry->content.size;
    const std::uint64_t end = offset >= size ? offset : offset + std::min(length, size - offset);
    Bytes bytes;
    return each_chunk(entry->content, *chunks_, offset, length,
                      [&](const ChunkRecord& chunk, std::uint64_t at) -> Status {
                        auto read = chunks_->read(chunk.id, bytes);
                        if (!read) {
                          // The tree is there, so what it is made of should be.
                          Error error = read.error();
                          if (error.kind == ErrorKind::not_found) error.kind = ErrorKind::corrupt;
                          return with_context(fmt::format("cannot read '{}'", path), error);
                        }
                        std::size_t from = offset > at ? static_cast<std::size_t>(offset - at) : 0;
                        std::size_t to = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.length, end - at));
                        if (bytes.size() != chunk.length)
                          return fail(ErrorKind::corrupt, fmt::format("'{}' has a chunk of another length", path));
                        static_assert(kPiece >= kChunkMax);
                        return sink(ByteSpan(bytes).subspan(from, to - from));
                      });
  }

  Status survey(const std::optional<ArtifactId>& id, const std::filesystem::path& directory,
                const std::function<bool(const Surveyed&)>& each) override {
    return survey_tree(*chunks_, id, directory, each);
  }

  Result<std::string> object(const Digest& name) override {
    Bytes bytes;
    KIST_TRY(chunks_->read(name, bytes));
    return std::string(text_of(bytes));
  }

  Status restore(const ArtifactId& id, std::string_view path, const std::filesystem::path& target,
                 const RestoreOptions& options) override {
    KIST_TRY_ASSIGN(auto tree, TreeCursor::open(*chunks_, id));
    return write_tree(tree, *chunks_, path, target,
                      {.overwrite = options.overwrite,
                       .merge = options.merge,
                       .link = {},
                       .hard_links = true,
                       .notices = options.notices});
  }

  ChunkSource& chunks() override { return *chunks_; }

  Result<std::unique_ptr<View>> view(const ArtifactId& id) override { return views_->view(id); }

  Status set_reference(std::string_view name, const Digest& target, const std::optional<Digest>& expected) override {
    return references_.set(name, target, expected);
  }
  Result<Digest> reference(std::string_view name) override { return references_.get(name); }
  Result<std::vector<std::pair<std::string, Digest>>> references(std::string_view prefix) override {
    return references_.list(prefix);
  }
  Status remove_reference(std::string_view name) override { return references_.remove(name); }

 private:
  StoreDirectory directory_;
  Lease lease_{directory_};
  Inodes inodes_{directory_};
  References references_{directory_, lease_};
  std::unique_ptr<Chunks> chunks_;
  std::optional<Publisher> publisher_;
  std::optional<Views> views_;
  bool attributes_ = false;
};

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const std::filesystem::path& directory, const StoreOptions& options) {
  KIST_TRY_ASSIGN(auto opened, StoreDirectory::open(directory));
  auto store = std::make_unique<DiskStore>(std::move(opened));
  KIST_TRY(store->load(options));
  return store;
}

}  // namespace kist::store
