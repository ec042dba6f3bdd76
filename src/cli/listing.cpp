// Entries come in the bytewise order of their whole paths, so what lies in a directory need not follow it at once: "a",
// "a-b", "a/c". What is to be known of a directory (whether it is empty, how much is in it) is therefore asked of a
// second cursor, which goes there.
#include "cli/listing.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/base64.hpp"
#include "base/terminal.hpp"
#include "base/utf8.hpp"
#include "cli/context.hpp"
#include "model/address.hpp"
#include "store/tree.hpp"

namespace kist::cli {

namespace {

using store::EntryType;
using store::TreeCursor;
using store::TreeEntry;

// So many rows are looked at before the widths of the columns are decided.
constexpr std::size_t kRowsMeasured = 2000;

store::ArtifactId id_of(const model::ArtifactRecord& artifact) {
  return {artifact.tree, artifact.times};
}

std::string_view parent_of(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

// What is to be listed of one artifact: what lies in `directory` and begins with `begins`.
struct Part {
  model::AddressedArtifact artifact;
  std::string directory;
  std::string begins;  // a whole path inside the artifact; empty: everything
};

std::string clean(std::string_view prefix) {
  while (prefix.starts_with("./")) prefix.remove_prefix(2);
  while (prefix.starts_with('/')) prefix.remove_prefix(1);
  return std::string(prefix);
}

// The prefix is, in this order: something inside an artifact, or how longer addresses begin ("mod" of "model", "fit" of
// "fit/model").
Result<std::vector<Part>> parts_of(store::Store& store, const model::RunRecord& run, const std::string& prefix) {
  std::vector<Part> parts;
  if (prefix.empty()) {
    for (auto& artifact : model::addresses(run)) parts.push_back({std::move(artifact), "", ""});
    return parts;
  }
  auto found = model::resolve(run, prefix);
  if (found) {
    std::string inside = found->inside;
    while (inside.ends_with('/')) inside.pop_back();
    KIST_TRY_ASSIGN(auto tree, TreeCursor::open(store.chunks(), id_of(*found->artifact.artifact)));
    auto entry = tree.find(inside);
    if (!entry && entry.error().kind != ErrorKind::not_found) return std::unexpected(std::move(entry).error());
    if (entry && (*entry)->type == EntryType::directory) {
      parts.push_back({std::move(found->artifact), inside, ""});
    } else {
      parts.push_back({std::move(found->artifact), std::string(parent_of(inside)), inside});
    }
    return parts;
  }
  if (found.error().kind != ErrorKind::not_found) return std::unexpected(std::move(found).error());
  for (auto& artifact : model::addresses(run)) {
    const auto& name = artifact.artifact->name;
    const auto begins = [&](const std::string& form) { return form.starts_with(prefix); };
    if (begins(artifact.address) || begins(artifact.node->step + "/" + name) ||
        begins(artifact.node->names.name + "/" + name)) {
      parts.push_back({std::move(artifact), "", ""});
    }
  }
  return parts;
}

// Lists one part.
class PartLister {
 public:
  PartLister(store::ChunkSource& chunks, const Part& part, const ListingOptions& options,
             const std::function<Result<bool>(const Listed&)>& each)
      : chunks_(chunks), part_(part), options_(options), each_(each) {
    listed_.artifact = part.artifact.address;
  }

  // `after`: a path inside the artifact. False where `each` ended it.
  Result<bool> list(const std::optional<std::string>& after) {
    KIST_TRY_ASSIGN(auto tree, TreeCursor::open(chunks_, id()));
    const std::string below = part_.directory.empty() ? "" : part_.directory + "/";
    const bool whole = part_.directory.empty() && part_.begins.empty();
    KIST_TRY_ASSIGN(const TreeEntry* entry, tree.find(part_.directory));
    if (whole && !after) {
      const TreeEntry top = *entry;
      if (top.type == EntryType::directory) {
        KIST_TRY_ASSIGN(const TreeEntry* first, tree.next());
        if (first != nullptr) {
          tree.again();
          return list_below(tree, below);
        }
      }
      return give(top, "", file_size(top));
    }
    std::string from = std::max(below, part_.begins);
    if (after) from = std::max(from, *after + '\0');  // the least path behind it
    KIST_TRY(tree.seek(from));
    return list_below(tree, below);
  }

 private:
  store::ArtifactId id() const { return id_of(*part_.artifact.artifact); }

  Result<bool> list_below(TreeCursor& tree, const std::string& below) {
    while (true) {
      KIST_TRY_ASSIGN(const TreeEntry* entry, tree.next());
      if (entry == nullptr || !entry->path.starts_with(below) || !entry->path.starts_with(part_.begins)) return true;
      if (entry->path.empty()) continue;
      const auto slash = entry->path.find('/', below.size());
      if (!options_.recursive && slash != std::string::npos) {
        // Below a subdirectory: go on behind all of it. '0' follows '/'.
        KIST_TRY(tree.seek(entry->path.substr(0, slash) + '0'));
        continue;
      }
      KIST_TRY_ASSIGN(const bool more, entry->type == EntryType::directory
                                           ? give_directory(tree, *entry)
                                           : give(*entry, entry->path, file_size(*entry)));
      if (!more) return false;
    }
  }

  static std::optional<std::uint64_t> file_size(const TreeEntry& entry) {
    if (entry.type == EntryType::file) return entry.content.size;
    return std::nullopt;
  }

  // `entry` is the cursor's, which is at it still afterwards.
  Result<bool> give_directory(TreeCursor& tree, const TreeEntry& its_entry) {
    if (!options_.recursive && !options_.totals) return give(its_entry, its_entry.path + "/", std::nullopt);
    const TreeEntry entry = its_entry;  // NOLINT(performance-unnecessary-copy-initialization): the cursor moves on
    if (options_.recursive) {
      KIST_TRY_ASSIGN(const bool empty, is_empty(tree, entry.path));
      if (!empty) return true;
    }
    std::optional<std::uint64_t> size;
    if (options_.totals) {
      KIST_TRY_ASSIGN(size, total(entry.path));
    }
    return give(entry, entry.path + "/", size);
  }

  Result<bool> is_empty(TreeCursor& tree, const std::string& directory) {
    const std::string below = directory + "/";
    // Usually what it holds comes next.
    KIST_TRY_ASSIGN(const TreeEntry* next, tree.next());
    if (next == nullptr) return true;
    tree.again();
    if (next->path >= below) return !next->path.starts_with(below);
    KIST_TRY(open_second());
    KIST_TRY(second_->seek(below));
    KIST_TRY_ASSIGN(next, second_->next());
    return next == nullptr || !next->path.starts_with(below);
  }

  Result<std::uint64_t> total(const std::string& directory) {
    const std::string below = directory + "/";
    std::uint64_t bytes = 0;
    KIST_TRY(open_second());
    KIST_TRY(second_->seek(below));
    while (true) {
      KIST_TRY_ASSIGN(const TreeEntry* entry, second_->next());
      if (entry == nullptr || !entry->path.starts_with(below)) return bytes;
      if (entry->type == EntryType::file) bytes += entry->content.size;
    }
  }

  Status open_second() {
    if (second_) return {};
    KIST_TRY_ASSIGN(second_, TreeCursor::open(chunks_, id()));
    return {};
  }

  Result<bool> give(const TreeEntry& entry, std::string file, std::optional<std::uint64_t> size) {
    listed_.file = std::move(file);
    listed_.size = size;
    if (options_.digests) {
      listed_.entry = to_entry(entry);
    } else {
      listed_.entry.path = entry.path;
      listed_.entry.type = entry.type;
      listed_.entry.mode = entry.mode;
      listed_.entry.size = entry.content.size;
      listed_.entry.link_target = entry.link_target;
      listed_.entry.modified = entry.modified;
    }
    return each_(listed_);
  }

  store::ChunkSource& chunks_;
  const Part& part_;
  const ListingOptions& options_;
  const std::function<Result<bool>(const Listed&)>& each_;
  Listed listed_;
  std::optional<TreeCursor> second_;
};

// Where the listing goes on behind a row: which part, and the path in its artifact.
struct Position {
  std::size_t part = 0;
  std::optional<std::string> after;
};

Result<Position> position_behind(const model::RunRecord& run, const std::vector<Part>& parts, const std::string& row) {
  KIST_TRY_ASSIGN(auto found, model::resolve(run, row));
  const auto part =
      std::ranges::find_if(parts, [&](const Part& one) { return one.artifact.artifact == found.artifact.artifact; });
  if (part == parts.end())
    return fail(ErrorKind::not_found, fmt::format("'{}' is not among what is to be listed", row));
  while (found.inside.ends_with('/')) found.inside.pop_back();
  const auto number = static_cast<std::size_t>(part - parts.begin());
  if (found.inside.empty()) return Position{number + 1, std::nullopt};
  return Position{number, std::move(found.inside)};
}

}  // namespace

std::string path_of(const Listed& listed) {
  return listed.file.empty() ? listed.artifact : fmt::format("{}/{}", listed.artifact, listed.file);
}

Result<bool> list_files(store::Store& store, const model::RunRecord& run, const ListingOptions& options,
                        const std::function<void(const Listed&)>& each) {
  const std::string prefix = clean(options.prefix);
  KIST_TRY_ASSIGN(const auto parts, parts_of(store, run, prefix));
  Position position;
  if (!options.after.empty()) {
    KIST_TRY_ASSIGN(position, position_behind(run, parts, clean(options.after)));
  }
  std::size_t rows = 0;
  bool more = false;
  const std::function<Result<bool>(const Listed&)> count = [&](const Listed& listed) {
    if (rows == options.limit) {
      more = true;
      return false;
    }
    ++rows;
    each(listed);
    return true;
  };
  for (std::size_t i = position.part; i < parts.size() && !more; ++i) {
    PartLister lister(store.chunks(), parts[i], options, count);
    KIST_TRY(lister.list(i == position.part ? position.after : std::nullopt));
  }
  if (rows == 0 && !more && !prefix.empty() && options.after.empty())
    return fail(ErrorKind::not_found, fmt::format("No artifact of '{}' begins with '{}'", run.name, prefix));
  return more;
}

void ListingTable::add(const Listed& listed) {
  const bool first = !in_group_ || group_ != listed.artifact;
  Row row;
  if (first) {
    in_group_ = true;
    group_ = listed.artifact;
    row.artifact = printable(group_);
    artifact_width_ = std::max(artifact_width_, display_width(row.artifact));
  }
  row.file = printable(listed.file);
  if (listed.entry.type == EntryType::link) row.file += " -> " + printable(listed.entry.link_target);
  row.directory = listed.entry.type == EntryType::directory;
  row.file_width = display_width(row.file);
  file_width_ = std::max(file_width_, row.file_width);
  if (listed.size) row.size = human_size(*listed.size);
  if (begun_) return print_row(row);
  waiting_.push_back(std::move(row));
  if (waiting_.size() == kRowsMeasured) print_waiting();
}

void ListingTable::finish() {
  if (!begun_) print_waiting();
}

void ListingTable::print_waiting() {
  begun_ = true;
  print_row({.artifact = "PATH", .file = "FILE", .file_width = 4, .directory = false, .size = "SIZE"});
  for (const Row& row : waiting_) print_row(row);
  waiting_.clear();
}

void ListingTable::print_row(const Row& row) {
  std::string line = row.artifact;
  std::size_t owed = artifact_width_ - display_width(row.artifact) + 2;  // spaces before the next text, if any
  if (!row.file.empty()) {
    line.append(owed, ' ');
    line += row.directory ? paint(row.file, Color::blue, colored_) : row.file;
    owed = 0;
  }
  if (!row.size.empty()) {
    line.append(owed + file_width_ - row.file_width + 2, ' ');
    line += row.size;
  }
  line += '\n';
  print(line);
}

Json listing_as_json(const Listed& listed) {
  constexpr std::string_view kTypes[] = {"file", "directory", "link"};
  Json item{{"name", listed.artifact},
            {"path", path_of(listed)},
            {"file", listed.file},
            {"type", kTypes[static_cast<int>(listed.entry.type)]}};
  if (!is_utf8(path_of(listed))) item["path_bytes"] = to_base64(path_of(listed));
  if (listed.size) item["size"] = *listed.size;
  item["mode"] = fmt::format("{:04o}", listed.entry.mode);
  item["modified"] = json_time(listed.entry.modified);
  if (listed.entry.type == EntryType::link) item["target"] = listed.entry.link_target;
  if (listed.entry.file) item["digest"] = listed.entry.file->to_string();
  return item;
}

Result<ListingEnd> print_listing(store::Store& store, const model::RunRecord& run, const ListingOptions& options,
                                 bool json, bool colored) {
  ListingTable table(colored);
  JsonArrayPrinter array;
  ListingEnd end;
  const bool paged = options.limit != SIZE_MAX;
  KIST_TRY_ASSIGN(end.more, list_files(store, run, options, [&](const Listed& listed) {
                    if (paged) end.last = path_of(listed);
                    if (json) {
                      array.add(listing_as_json(listed));
                    } else {
                      table.add(listed);
                    }
                  }));
  if (json) {
    array.finish();
  } else {
    table.finish();
  }
  return end;
}

void JsonArrayPrinter::add(const Json& value) {
  print(begun_ ? ",\n" : "[\n");
  begun_ = true;
  print(to_text(value));
}

void JsonArrayPrinter::finish() {
  print(begun_ ? "\n]\n" : "[]\n");
}

}  // namespace kist::cli
