// Inode numbers: node i is i + 1; the entry n of the artifact a, counted from 0, is (a + 1) × 2^40 + n. The entry 0,
// the top, has its node's number instead.
//
// Positions in a directory: c of its node's children come first, at 0 to c - 1; the entry n of its tree is at c + n. So
// a listing can go on anywhere without anything being kept open.
#include "mount/files.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace kist::mount {
namespace {

using store::EntryType;
using store::NumberedTree;
using store::TreeEntry;

constexpr unsigned kEntryBits = 40;
constexpr std::uint64_t kEntryMask = (1ULL << kEntryBits) - 1;
constexpr std::size_t kMostArtifacts = (1ULL << (64 - kEntryBits)) - 2;

constexpr std::size_t kChunkBudget = 32 << 20;
constexpr std::size_t kBlockBudget = 24 << 20;
constexpr std::uint32_t kDirectoryMode = 0755;

std::unexpected<Error> no_such() {
  return fail(ErrorKind::not_found, "no such file");
}

Inode inode_of(std::size_t artifact, std::uint64_t number) {
  return (static_cast<std::uint64_t>(artifact) + 1) << kEntryBits | number;
}

}  // namespace

Files::Files(store::ChunkSource& chunks) : chunks_(chunks, kChunkBudget), blocks_(kBlockBudget), nodes_(1) {}

Result<std::unique_ptr<Files>> Files::make(store::ChunkSource& chunks, const std::vector<Shown>& shown, Time made) {
  std::unique_ptr<Files> files(new Files(chunks));
  files->nodes_.front().changed = made;
  KIST_TRY(files->show(shown, made));
  return files;
}

Status Files::show(const std::vector<Shown>& shown, Time at) {
  for (const Shown& one : shown)
    if (!store::is_clean_path(one.path))
      return fail(ErrorKind::invalid, fmt::format("the artifact '{}' has a name that no file can have", one.path));
  std::unique_lock lock(mutex_);
  if (artifacts_.size() + shown.size() > kMostArtifacts)
    return fail(ErrorKind::unsupported, "more artifacts than one mount can show");
  for (Artifact& artifact : artifacts_) artifact.shown = false;
  bytes_ = 0;
  for (const Shown& one : shown) {
    const std::size_t node = node_at(one.path, at);
    const auto [number, added] = numbers_.try_emplace({node, one.id}, artifacts_.size());
    if (added) artifacts_.push_back({.id = one.id});
    artifacts_[number->second].shown = true;
    if (nodes_[node].artifact != number->second) {
      nodes_[node].artifact = number->second;
      nodes_[node].changed = at;
    }
    bytes_ += one.bytes;
  }
  forget_empty(at);
  return {};
}

// The node of a path, made where it is missing.
std::size_t Files::node_at(std::string_view path, Time at) {
  std::size_t node = 0;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    const auto [child, added] = nodes_[node].children.try_emplace(std::string(path.substr(0, slash)), nodes_.size());
    if (added) {
      nodes_[node].changed = at;
      nodes_.emplace_back().changed = at;
    }
    node = child->second;
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return node;
}

bool Files::is_in_use(std::size_t node) const {
  return nodes_[node].artifact || !nodes_[node].children.empty();
}

// Children have higher numbers than their directory, so one pass from the end does it.
void Files::forget_empty(Time at) {
  for (std::size_t number = nodes_.size(); number-- > 0;) {
    Node& node = nodes_[number];
    if (node.artifact && !artifacts_[*node.artifact].shown) {
      node.artifact.reset();
      node.changed = at;
    }
    if (std::erase_if(node.children, [&](const auto& child) { return !is_in_use(child.second); }) > 0)
      node.changed = at;
  }
}

Result<Files::Node> Files::node(std::size_t number) const {
  std::shared_lock lock(mutex_);
  if (number != 0 && !is_in_use(number)) return no_such();
  return nodes_[number];
}

Result<NumberedTree*> Files::tree(std::size_t artifact) {
  {
    std::shared_lock lock(mutex_);
    if (artifacts_[artifact].tree) return artifacts_[artifact].tree.get();
  }
  std::unique_lock lock(mutex_);
  auto& opened = artifacts_[artifact].tree;
  if (!opened) {
    KIST_TRY_ASSIGN(auto first, NumberedTree::open(chunks_, blocks_, artifacts_[artifact].id));
    if (first->size() > kEntryMask) return fail(ErrorKind::unsupported, "more entries than a mount can show");
    opened = std::move(first);
  }
  return opened.get();
}

Result<Files::Where> Files::where(Inode inode) const {
  const std::uint64_t high = inode >> kEntryBits;
  std::shared_lock lock(mutex_);
  if (high == 0) {
    if (inode == 0 || inode > nodes_.size()) return no_such();
    const std::size_t node = inode - 1;
    return Where{node, nodes_[node].artifact, 0};
  }
  if (high > artifacts_.size() || !artifacts_[high - 1].shown) return no_such();
  return Where{std::nullopt, high - 1, inode & kEntryMask};
}

Result<const TreeEntry*> Files::entry(Inode inode, NumberedTree::Pin& pin) {
  KIST_TRY_ASSIGN(const Where at, where(inode));
  if (!at.artifact) return no_such();
  KIST_TRY_ASSIGN(NumberedTree * opened, tree(*at.artifact));
  if (at.number >= opened->size()) return no_such();
  return opened->at(at.number, pin);
}

Result<Attributes> Files::attributes_of(std::size_t artifact, std::uint64_t number, const TreeEntry& entry,
                                        std::optional<std::size_t> node) {
  KIST_TRY_ASSIGN(NumberedTree * opened, tree(artifact));
  Attributes attributes;
  attributes.inode = node ? *node + 1 : inode_of(artifact, number);
  attributes.type = entry.type;
  attributes.mode = entry.mode;
  attributes.size = entry.type == EntryType::link ? entry.link_target.size() : entry.content.size;
  KIST_TRY_ASSIGN(attributes.modified, opened->modified(number));
  return attributes;
}

Result<Attributes> Files::attributes_of_node(std::size_t number) {
  KIST_TRY_ASSIGN(const Node its, node(number));
  if (its.artifact) {
    KIST_TRY_ASSIGN(NumberedTree * opened, tree(*its.artifact));
    NumberedTree::Pin pin;
    KIST_TRY_ASSIGN(const TreeEntry* top, opened->at(0, pin));
    // What other artifacts' paths go through is a directory.
    if (its.children.empty() || top->type == EntryType::directory) {
      KIST_TRY_ASSIGN(Attributes attributes, attributes_of(*its.artifact, 0, *top, number));
      attributes.lasting = false;
      return attributes;
    }
  }
  return Attributes{.inode = number + 1,
                    .type = EntryType::directory,
                    .mode = kDirectoryMode,
                    .size = 0,
                    .modified = its.changed,
                    .lasting = false};
}

Result<Attributes> Files::attributes(Inode inode) {
  if (may_change(inode)) look();  // its time tells the kernel whether to list it anew
  KIST_TRY_ASSIGN(const Where at, where(inode));
  if (at.node) return attributes_of_node(*at.node);
  NumberedTree::Pin pin;
  KIST_TRY_ASSIGN(const TreeEntry* found, entry(inode, pin));
  return attributes_of(*at.artifact, at.number, *found, std::nullopt);
}

bool Files::may_change(Inode directory) {
  return directory >> kEntryBits == 0;
}

Result<Attributes> Files::lookup(Inode directory, std::string_view name) {
  if (may_change(directory)) look();
  KIST_TRY_ASSIGN(const Where at, where(directory));
  if (at.node) {
    KIST_TRY_ASSIGN(const Node its, node(*at.node));
    if (const auto child = its.children.find(name); child != its.children.end())
      return attributes_of_node(child->second);
  }
  if (!at.artifact) return no_such();
  KIST_TRY_ASSIGN(NumberedTree * opened, tree(*at.artifact));
  NumberedTree::Pin pin;
  if (at.number >= opened->size()) return no_such();
  KIST_TRY_ASSIGN(const TreeEntry* parent, opened->at(at.number, pin));
  const std::string path = parent->path.empty() ? std::string(name) : fmt::format("{}/{}", parent->path, name);
  if (path.empty()) return no_such();
  KIST_TRY_ASSIGN(const auto number, opened->find(path, pin));
  if (!number) return no_such();
  KIST_TRY_ASSIGN(const TreeEntry* found, opened->at(*number, pin));
  return attributes_of(*at.artifact, *number, *found, std::nullopt);
}

Result<std::string> Files::link_target(Inode inode) {
  NumberedTree::Pin pin;
  KIST_TRY_ASSIGN(const TreeEntry* found, entry(inode, pin));
  if (found->type != EntryType::link) return fail(ErrorKind::invalid, "not a link");
  return found->link_target;
}

Status Files::list(Inode directory, std::uint64_t position, const EachName& each) {
  if (may_change(directory) && position == 0) look();
  KIST_TRY_ASSIGN(const Where at, where(directory));
  Node its;
  if (at.node) {
    KIST_TRY_ASSIGN(its, node(*at.node));
  }
  const auto& children = its.children;
  const std::uint64_t in_tree = children.size();
  for (auto child = std::next(children.begin(), static_cast<std::ptrdiff_t>(std::min(position, in_tree)));
       child != children.end(); ++child) {
    const auto attributes = attributes_of_node(child->second);
    ++position;
    if (!attributes && attributes.error().kind == ErrorKind::not_found) continue;  // it has just gone
    if (!attributes) return std::unexpected(attributes.error());
    if (!each(child->first, *attributes, position)) return {};
  }
  if (!at.artifact) return {};

  KIST_TRY_ASSIGN(NumberedTree * opened, tree(*at.artifact));
  NumberedTree::Pin pin;
  if (at.number >= opened->size()) return no_such();
  KIST_TRY_ASSIGN(const TreeEntry* parent, opened->at(at.number, pin));
  if (parent->type != EntryType::directory) return {};
  const std::string below = parent->path.empty() ? "" : parent->path + "/";
  std::uint64_t number = position - in_tree;
  if (number <= at.number) {
    // From the beginning. Between a directory and what it holds others may lie: "a", "a-b", "a/c".
    number = at.number + 1;
    if (!below.empty()) {
      KIST_TRY_ASSIGN(number, opened->lower_bound(below, pin));
    }
  }
  while (number < opened->size()) {
    KIST_TRY_ASSIGN(const TreeEntry* found, opened->at(number, pin));
    if (!found->path.starts_with(below)) return {};
    const std::string_view name = std::string_view(found->path).substr(below.size());
    const std::size_t slash = name.find('/');
    if (slash != std::string_view::npos) {
      // Below a subdirectory: go on behind all of it. '0' follows '/'.
      const std::string behind = below + std::string(name.substr(0, slash)) + '0';
      KIST_TRY_ASSIGN(number, opened->lower_bound(behind, pin));
      continue;
    }
    if (!children.contains(name)) {
      KIST_TRY_ASSIGN(const Attributes attributes, attributes_of(*at.artifact, number, *found, std::nullopt));
      if (!each(std::string(name), attributes, in_tree + number + 1)) return {};
    }
    ++number;
  }
  return {};
}

Result<std::vector<Files::Piece>> Files::read(Inode file, std::uint64_t offset, std::uint64_t length) {
  NumberedTree::Pin pin;
  KIST_TRY_ASSIGN(const TreeEntry* found, entry(file, pin));
  if (found->type != EntryType::file) return fail(ErrorKind::invalid, "not a file");
  std::vector<Piece> pieces;
  if (offset >= found->content.size) return pieces;
  const std::uint64_t end = offset + std::min(length, found->content.size - offset);
  auto read = each_chunk(found->content, chunks_, offset, end - offset,
                         [&](const store::ChunkRecord& chunk, std::uint64_t at) -> Status {
                           auto bytes = chunks_.get(chunk.id);
                           if (!bytes) {
                             // The tree is there, so what it is made of should be.
                             Error error = std::move(bytes).error();
                             if (error.kind == ErrorKind::not_found) error.kind = ErrorKind::corrupt;
                             return std::unexpected(std::move(error));
                           }
                           if ((*bytes)->size() != chunk.length)
                             return fail(ErrorKind::corrupt, "a chunk of another length");
                           const auto from = static_cast<std::size_t>(offset > at ? offset - at : 0);
                           const auto to = static_cast<std::size_t>(std::min<std::uint64_t>(chunk.length, end - at));
                           pieces.push_back({*bytes, std::span(**bytes).subspan(from, to - from)});
                           return {};
                         });
  if (!read) return with_context(fmt::format("cannot read '{}'", found->path), std::move(read).error());
  return pieces;
}

}  // namespace kist::mount
