#include "store/index_upkeep.hpp"

#include <algorithm>

namespace kist::store {

IndexSet to_absorb(const IndexSet& set, std::uint64_t added) {
  IndexSet absorbed;
  auto small = std::ranges::count_if(set, [](const auto& file) { return file->records() < kSmallIndex; });
  if (static_cast<std::size_t>(small) + 1 < kSmallIndexes && added < kSmallIndex) return absorbed;
  std::uint64_t total = added;
  for (auto file = set.rbegin(); file != set.rend(); ++file) {
    if ((*file)->records() >= kSmallIndex && (*file)->records() > 2 * total) break;
    total += (*file)->records();
    absorbed.push_back(*file);
  }
  return absorbed;
}

Status forget_missing_containers(const StoreDirectory& directory, Lease& lease, Chunks& chunks) {
  std::vector<IndexSource> sources;
  std::vector<std::string> replaced;
  const auto index = chunks.index();
  for (const auto& file : *index) {
    IndexSource source = source_of(directory, file);
    source.dropped.resize(source.containers.size());
    for (std::size_t i = 0; i < source.containers.size(); ++i) {
      auto status = directory.status(source.containers[i].path());
      source.dropped[i] = !status && status.error().kind == ErrorKind::not_found;
    }
    if (std::ranges::find(source.dropped, true) == source.dropped.end()) continue;
    replaced.push_back(file->name());
    bool all = std::ranges::find(source.dropped, false) == source.dropped.end();
    if (!all) sources.push_back(std::move(source));
  }
  if (replaced.empty()) return {};
  std::string written;
  if (!sources.empty()) {
    KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory, lease));
    KIST_TRY_ASSIGN(written, write_index(file, sources));
    KIST_TRY(file.sync());
    file.close();
    KIST_TRY(file.move_to("index/" + written));
    KIST_TRY(directory.sync("index"));
  }
  for (const std::string& name : replaced)
    if (name != written) KIST_TRY(directory.remove("index/" + name));
  return chunks.reload();
}

}  // namespace kist::store
