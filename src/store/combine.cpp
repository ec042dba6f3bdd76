#include "store/combine.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "store/hard_links.hpp"

namespace kist::store {
namespace {

// The entries of one part under their new paths, in order.
struct Input {
  TreeCursor cursor;
  std::string prefix;
  std::optional<TreeEntry> head;

  Status advance() {
    KIST_TRY_ASSIGN(const TreeEntry* entry, cursor.next());
    head.reset();
    if (entry == nullptr) return {};
    head = *entry;
    if (!prefix.empty()) head->path = entry->path.empty() ? prefix : fmt::format("{}/{}", prefix, entry->path);
    return {};
  }
};

// The directories that prefixes imply, with the time of the latest artifact below them: they have none of their own.
std::map<std::string, Time> implied_directories(const std::vector<Input>& inputs) {
  std::map<std::string, Time> directories;
  for (const Input& input : inputs) {
    if (input.prefix.empty()) continue;
    for (std::size_t end = 0; end != std::string::npos; end = input.prefix.find('/', end + 1)) {
      Time& time = directories[input.prefix.substr(0, end)];
      time = std::max(time, input.head->modified);
    }
  }
  return directories;
}

}  // namespace

Result<Saved> combine_trees(ChunkSource& source, const Put& put, std::span<const Transaction::Part> parts) {
  std::vector<Input> inputs;
  for (const Transaction::Part& part : parts) {
    if (!is_clean_path(part.prefix))
      return fail(ErrorKind::invalid, fmt::format("'{}' is no path inside an artifact: give names separated by single "
                                                  "slashes, without '.' and '..'",
                                                  part.prefix));
    KIST_TRY_ASSIGN(auto cursor, TreeCursor::open(source, part.id));
    KIST_TRY(inputs.emplace_back(std::move(cursor), part.prefix, std::nullopt).advance());
  }
  auto directories = implied_directories(inputs);
  if (inputs.empty()) directories[""];

  TreeWriter tree(put);
  MergedLinks links;
  std::set<std::string, std::less<>> hidden;  // paths that are files or links, with things below them in other parts
  auto is_hidden = [&](std::string_view path) {
    for (std::size_t end = path.rfind('/'); !path.empty(); end = path.rfind('/')) {
      path = end == std::string_view::npos ? std::string_view() : path.substr(0, end);
      if (hidden.contains(path)) return true;
    }
    return false;
  };
  while (true) {
    const std::string* least = nullptr;
    for (const Input& input : inputs)
      if (input.head && (least == nullptr || input.head->path < *least)) least = &input.head->path;
    if (!directories.empty() && (least == nullptr || directories.begin()->first < *least))
      least = &directories.begin()->first;
    if (least == nullptr) break;
    const std::string path = *least;

    // An implied directory exists because of a part, so an earlier part's file gives way to it, and it to any part's
    // own.
    std::optional<TreeEntry> chosen;
    std::size_t candidates = 0;
    std::size_t last_implied = 0;
    std::optional<std::size_t> last_own;
    std::uint64_t number = 0;  // of what was chosen, in its tree
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (lies_in(inputs[i].prefix, path) && inputs[i].prefix != path) last_implied = i + 1;
      if (!inputs[i].head || inputs[i].head->path != path) continue;
      if (chosen) links.take(*last_own, number, chosen->extra, std::nullopt);
      chosen = *inputs[i].head;
      last_own = i;
      number = inputs[i].cursor.number();
      ++candidates;
      KIST_TRY(inputs[i].advance());
    }
    bool implied = directories.contains(path);
    if (implied && (!chosen || (chosen->type != EntryType::directory && *last_own + 1 < last_implied))) {
      if (chosen) links.take(*last_own, number, chosen->extra, std::nullopt);
      last_own.reset();
      chosen.emplace();
      chosen->path = path;
      chosen->type = EntryType::directory;
      chosen->mode = 0755;
      chosen->modified = directories[path];
    }
    directories.erase(path);
    const bool taken = !is_hidden(path);
    const auto as = taken ? std::optional(tree.entries()) : std::nullopt;
    if (last_own) chosen->extra.same_as = links.take(*last_own, number, chosen->extra, as);
    if (!taken) continue;
    if (chosen->type != EntryType::directory && (candidates > 1 || implied)) hidden.insert(path);
    KIST_TRY(tree.add(*chosen));
  }
  return tree.finish();
}

}  // namespace kist::store
