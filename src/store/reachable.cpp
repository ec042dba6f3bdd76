#include "store/reachable.hpp"

#include <set>

#include "store/tree.hpp"

namespace kist::store {
namespace {

// Tells what is read through it.
class Listening final : public ChunkSource {
 public:
  Listening(ChunkSource& source, const std::function<Status(const Digest&)>& each) : source_(source), each_(each) {}
  Status read(const Digest& id, Bytes& out) override {
    KIST_TRY(each_(id));
    return source_.read(id, out);
  }

 private:
  ChunkSource& source_;
  const std::function<Status(const Digest&)>& each_;
};

}  // namespace

std::vector<ArtifactId> artifacts_of(const model::RunRecord& run) {
  std::vector<ArtifactId> all;
  std::set<ArtifactId> seen;
  auto add = [&](const model::ArtifactRecord& artifact) {
    ArtifactId id{artifact.tree, artifact.times};
    if (seen.insert(id).second) all.push_back(id);
  };
  for (const model::UsedRun& used : run.used_runs)
    for (const model::ArtifactRecord& artifact : used.artifacts) add(artifact);
  for (const model::NodeRecord& node : run.nodes) {
    for (const model::ArtifactRecord& artifact : node.input_artifacts) add(artifact);
    for (const model::ArtifactRecord& artifact : node.output_artifacts) add(artifact);
  }
  if (run.logs) add(*run.logs);
  return all;
}

Status each_reachable_chunk(ChunkSource& source, const ArtifactId& id,
                            const std::function<Status(const Digest&)>& each) {
  Listening listening(source, each);
  KIST_TRY_ASSIGN(auto tree, TreeCursor::open(listening, id));
  while (true) {
    KIST_TRY_ASSIGN(const TreeEntry* entry, tree.next());
    if (entry == nullptr) return {};
    if (entry->type != EntryType::file) continue;
    KIST_TRY(each_chunk(entry->content, listening, 0, UINT64_MAX,
                        [&](const ChunkRecord& chunk, std::uint64_t) { return each(chunk.id); }));
  }
}

}  // namespace kist::store
