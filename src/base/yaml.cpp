// How a YAML text becomes nodes.
//
// libyaml scans and parses: the parser whose ports and bindings read these files elsewhere (Go's for Argo, PyYAML), so
// that kist takes and refuses the same texts, and one that years of fuzzing have hardened. Its events are read here,
// not documents, because what matters to kist happens above them: aliases are expanded as they are met (the last anchor
// of a name wins, and an anchor is known from where its node begins), merge keys are applied when their mapping ends,
// and every copy is charged against the limits, so that a few lines of nested aliases cannot fill the memory.
#include "base/yaml.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include <fmt/format.h>
#include <yaml.h>

#include "base/yaml_source.hpp"

namespace kist::yaml {
namespace {

// Text that an alias repeats costs as much as a node for each so many bytes.
constexpr std::uint64_t kBytesPerNode = 64;
// How many scalars with `\'` are mended in one file: each costs a pass over it.
constexpr int kMostMendings = 100;

// A libyaml parser over a text, and its events.
class Parser {
 public:
  explicit Parser(std::string_view text) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;
  ~Parser() {
    yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  // The next event, valid until the one after it; nullptr after an error.
  const yaml_event_t* next() {
    yaml_event_delete(&event_);
    return yaml_parser_parse(&parser_, &event_) == 1 ? &event_ : nullptr;
  }
  // What libyaml says of its error.
  const yaml_parser_t& error() const { return parser_; }

 private:
  yaml_parser_t parser_{};
  yaml_event_t event_{};
};

std::string_view text_of(const unsigned char* text) {
  return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

Mark plain_mark(const yaml_mark_t& mark) {
  return {static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1};
}

// "!!str" for "tag:yaml.org,2002:str"; tags of one's own as written.
std::string short_tag(const unsigned char* text) {
  constexpr std::string_view core = "tag:yaml.org,2002:";
  std::string_view tag = text_of(text);
  return tag.starts_with(core) ? fmt::format("!!{}", tag.substr(core.size())) : std::string(tag);
}

bool reads_as_null(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

bool is_merge_key(const Node& key) {
  return key.is_scalar() && !key.quoted && key.text == "<<" && (key.tag.empty() || key.tag == "!!merge");
}

// What an alias to a node will cost.
struct Extent {
  std::uint64_t cost = 1;
  int height = 1;
};

Extent extent_of(const Node& node) {
  Extent extent{1 + node.text.size() / kBytesPerNode, 1};
  auto add = [&](const Node& child) {
    Extent inner = extent_of(child);
    extent.cost += inner.cost;
    extent.height = std::max(extent.height, inner.height + 1);
  };
  for (const Node& item : node.items) add(item);
  for (const auto& [key, value] : node.entries) {
    add(key);
    add(value);
  }
  return extent;
}

// One pass over one text. Builds on an explicit stack; libyaml's events nest properly.
class Reader {
 public:
  Reader(const Source& source, std::string_view name, const Options& options)
      : source_(source), name_(name), options_(options) {}

  Result<std::vector<Node>> read();
  // After an error: where an escape was that YAML does not know.
  std::optional<yaml_mark_t> unknown_escape() const { return unknown_escape_; }

 private:
  // A collection whose end has not come.
  struct Open {
    Node node;
    std::string anchor;

    std::optional<Node> key;  // of a mapping: has come, and waits for its value
  };
  struct Anchored {
    Node node;
    Extent extent;
    std::size_t open_depth = 0;  // of a collection that has not ended: its place on the stack, from 1
  };

  Status handle(const yaml_event_t& event);
  Status begin(Kind kind, const yaml_event_t& event, const unsigned char* anchor, const unsigned char* tag);
  Status end();
  Status scalar(const yaml_event_t& event);
  Status alias(const yaml_event_t& event);
  Status add(Node node);
  Status remember(const std::string& anchor, const Node& node);
  Status finish_mapping(Node& mapping);
  Status check_duplicates(Node& mapping);
  Status charge(std::uint64_t cost, Mark mark);
  Status charge_depth(std::size_t depth, Mark mark);
  Mark mark_of(const yaml_mark_t& mark) const { return source_.original(plain_mark(mark)); }
  std::unexpected<Error> fail_here(Mark mark, std::string_view text) const { return fail_at(name_, mark, text); }
  std::unexpected<Error> diagnosed(const yaml_parser_t& error);

  const Source& source_;
  std::string_view name_;
  const Options& options_;
  std::vector<Node> documents_;
  std::vector<Open> open_;
  std::unordered_map<std::string, Anchored> anchors_;
  std::uint64_t charged_ = 0;
  std::optional<yaml_mark_t> unknown_escape_;
};

Result<std::vector<Node>> Reader::read() {
  Parser parser(source_.text());
  while (const yaml_event_t* event = parser.next()) {
    if (event->type == YAML_STREAM_END_EVENT) return std::move(documents_);
    KIST_TRY(handle(*event));
  }
  return diagnosed(parser.error());
}

// libyaml's problem, in words for people who write workflow files.
std::unexpected<Error> Reader::diagnosed(const yaml_parser_t& error) {
  std::string_view problem = error.problem == nullptr ? "out of memory" : error.problem;
  std::string_view context = error.context == nullptr ? "" : error.context;
  std::string_view character = source_.character(error.problem_mark.index);
  Mark mark = mark_of(error.problem_mark);
  Mark beginning = mark_of(error.context_mark);

  if (problem.contains("tab character") ||
      (problem == "found character that cannot start any token" && character == "\t"))
    return fail_here(mark, "a tab indents this line: expected spaces");
  if (problem == "found character that cannot start any token")
    return fail_here(mark, fmt::format("a value cannot begin with '{}': put it in quotes", character));
  if (problem == "mapping values are not allowed in this context")
    return fail_here(
        mark,
        "a ':' cannot stand here: put a text that has ': ' in it in quotes, or check the indentation of this "
        "line and the one above");
  if (problem == "block sequence entries are not allowed in this context")
    return fail_here(mark, "a list cannot begin here: put its '- ' on the next line, or the text in quotes");
  if (problem == "could not find expected ':'")
    return fail_here(beginning, "expected 'key: value': what begins here has no ':'; check the indentation");
  if (problem == "did not find expected key" && character == ":")
    return fail_here(mark, "expected a key before this ':'");
  if (problem == "did not find expected key" || problem == "did not find expected '-' indicator")
    return fail_here(
        mark, fmt::format("expected {} with the indentation of line {}, column {}: check this line's indentation, and "
                          "the quotes above it",
                          problem.ends_with("key") ? "'key: value'" : "'- '", beginning.line, beginning.column));
  if (problem.starts_with("did not find expected ','"))
    return fail_here(mark, fmt::format("expected {}: the bracket of line {}, column {} is not closed",
                                       problem.substr(22), beginning.line, beginning.column));
  if (problem == "found unexpected end of stream" && context.contains("quoted scalar"))
    return fail_here(beginning, "the text that begins here has no closing quote");
  if (problem == "found unknown escape character") {
    unknown_escape_ = error.problem_mark;
    return fail_here(
        mark, fmt::format("'{}{}' is no escape in double quotes: write '\\\\' for a backslash, or use single quotes",
                          character, source_.character(error.problem_mark.index + 1)));
  }
  if (problem == "did not find expected <document start>")
    return fail_here(
        mark, "expected the end of the file, or a line '---' before another document: check this line's indentation");
  if (problem == "did not find expected node content") return fail_here(mark, "expected a value here");
  return fail_here(mark, fmt::format("not YAML: {}{}{}", context, context.empty() ? "" : ": ", problem));
}

Status Reader::handle(const yaml_event_t& event) {
  const auto& data = event.data;
  switch (event.type) {
    case YAML_DOCUMENT_START_EVENT:
      anchors_.clear();
      return {};
    case YAML_MAPPING_START_EVENT:
      return begin(Kind::mapping, event, data.mapping_start.anchor, data.mapping_start.tag);
    case YAML_SEQUENCE_START_EVENT:
      return begin(Kind::sequence, event, data.sequence_start.anchor, data.sequence_start.tag);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
      return end();
    case YAML_SCALAR_EVENT:
      return scalar(event);
    case YAML_ALIAS_EVENT:
      return alias(event);
    default:
      return {};
  }
}

Status Reader::begin(Kind kind, const yaml_event_t& event, const unsigned char* anchor, const unsigned char* tag) {
  Open open;
  open.node.kind = kind;
  open.node.tag = short_tag(tag);
  open.node.mark = mark_of(event.start_mark);
  open.anchor = text_of(anchor);
  KIST_TRY(charge(1, open.node.mark));
  open_.push_back(std::move(open));
  KIST_TRY(charge_depth(open_.size(), open_.back().node.mark));
  if (!open_.back().anchor.empty()) anchors_[open_.back().anchor] = Anchored{{}, {}, open_.size()};
  return {};
}

Status Reader::end() {
  Open open = std::move(open_.back());
  open_.pop_back();
  if (open.node.is_mapping()) KIST_TRY(finish_mapping(open.node));
  // Unless a node within has taken the name since.
  if (!open.anchor.empty() && anchors_[open.anchor].open_depth == open_.size() + 1)
    KIST_TRY(remember(open.anchor, open.node));
  return add(std::move(open.node));
}

Status Reader::scalar(const yaml_event_t& event) {
  const auto& scalar = event.data.scalar;
  Node node;
  node.text.assign(reinterpret_cast<const char*>(scalar.value), scalar.length);
  node.tag = short_tag(scalar.tag);
  node.quoted = scalar.style != YAML_PLAIN_SCALAR_STYLE && scalar.style != YAML_ANY_SCALAR_STYLE;
  bool plain = !node.quoted && node.tag.empty();
  node.kind = (plain && reads_as_null(node.text)) || node.tag == "!!null" ? Kind::null : Kind::scalar;
  node.mark = mark_of(event.start_mark);
  KIST_TRY(charge(1, node.mark));
  if (std::string anchor(text_of(scalar.anchor)); !anchor.empty()) KIST_TRY(remember(anchor, node));
  return add(std::move(node));
}

Status Reader::alias(const yaml_event_t& event) {
  std::string name(text_of(event.data.alias.anchor));
  Mark mark = mark_of(event.start_mark);
  auto anchored = anchors_.find(name);
  if (anchored == anchors_.end())
    return fail_here(
        mark, fmt::format("*{} stands for nothing: expected an anchor &{} before it in this document", name, name));
  if (anchored->second.open_depth != 0)
    return fail_here(mark, fmt::format("*{} stands for the very node it is in: that would never end", name));
  KIST_TRY(charge(anchored->second.extent.cost, mark));
  KIST_TRY(charge_depth(open_.size() + static_cast<std::size_t>(anchored->second.extent.height), mark));
  return add(anchored->second.node);
}

Status Reader::remember(const std::string& anchor, const Node& node) {
  Extent extent = extent_of(node);
  KIST_TRY(charge(extent.cost, node.mark));
  anchors_[anchor] = Anchored{node, extent, 0};
  return {};
}

Status Reader::add(Node node) {
  if (open_.empty()) {
    documents_.push_back(std::move(node));
    return {};
  }
  Open& parent = open_.back();
  if (parent.node.is_sequence()) {
    parent.node.items.push_back(std::move(node));
  } else if (parent.key) {
    parent.node.entries.emplace_back(std::move(*parent.key), std::move(node));
    parent.key.reset();
  } else {
    if (node.is_null() && node.text.empty()) return fail_here(node.mark, "expected a key before this ':'");
    if (node.is_mapping() || node.is_sequence())
      return fail_here(node.mark,
                       "a mapping or list cannot be a key: a value that begins with '{' or '[', such as a template "
                       "expression, must be put in quotes");
    parent.key = std::move(node);
  }
  return {};
}

// Keys that are there twice, and merge keys: what a mapping says itself wins over what it merges, what is merged first
// over what is merged later. A merged entry stands where its `<<` stood.
Status Reader::finish_mapping(Node& mapping) {
  KIST_TRY(check_duplicates(mapping));
  if (std::none_of(mapping.entries.begin(), mapping.entries.end(),
                   [](auto& entry) { return is_merge_key(entry.first); }))
    return {};
  std::unordered_set<std::string> known;
  for (const auto& [key, value] : mapping.entries)
    if (!is_merge_key(key)) known.insert(key.text);
  std::vector<std::pair<Node, Node>> merged;
  auto merge = [&](Node& from, Mark at) -> Status {
    if (!from.is_mapping())
      return fail_here(at, "expected a mapping, or a list of mappings, as the value of the merge key <<");
    for (auto& [key, value] : from.entries)
      if (known.insert(key.text).second) merged.emplace_back(std::move(key), std::move(value));
    return {};
  };
  for (auto& [key, value] : mapping.entries) {
    if (!is_merge_key(key)) {
      merged.emplace_back(std::move(key), std::move(value));
    } else if (value.is_sequence()) {
      for (Node& item : value.items) KIST_TRY(merge(item, key.mark));
    } else {
      KIST_TRY(merge(value, key.mark));
    }
  }
  mapping.entries = std::move(merged);
  return {};
}

Status Reader::check_duplicates(Node& mapping) {
  std::unordered_map<std::string_view, std::size_t> first;
  std::vector<bool> overridden(mapping.entries.size());
  bool any = false;
  for (std::size_t i = 0; i < mapping.entries.size(); ++i) {
    const Node& key = mapping.entries[i].first;
    if (is_merge_key(key)) continue;
    auto [known, is_new] = first.emplace(key.text, i);
    if (is_new) continue;
    const Node& earlier = mapping.entries[known->second].first;
    if (!options_.duplicate_keys)
      return fail_here(key.mark, fmt::format("the key '{}' is there twice: it was given in line {} already", key.text,
                                             earlier.mark.line));
    overridden[known->second] = any = true;
    known->second = i;
  }
  if (!any) return {};
  std::vector<std::pair<Node, Node>> kept;
  for (std::size_t i = 0; i < mapping.entries.size(); ++i)
    if (!overridden[i]) kept.push_back(std::move(mapping.entries[i]));
  mapping.entries = std::move(kept);
  return {};
}

Status Reader::charge(std::uint64_t cost, Mark mark) {
  charged_ += cost;
  if (charged_ <= options_.node_limit) return {};
  return fail_here(
      mark, fmt::format("too much: with its aliases expanded this file has more than {} values", options_.node_limit));
}

Status Reader::charge_depth(std::size_t depth, Mark mark) {
  if (depth <= static_cast<std::size_t>(options_.depth_limit)) return {};
  return fail_here(mark, fmt::format("nested too deeply: the limit is {} levels", options_.depth_limit));
}

}  // namespace

Result<std::vector<Node>> parse(std::string_view text, std::string_view name, const Options& options) {
  KIST_TRY_ASSIGN(Source source, Source::make(text, name));
  for (int mendings = 0;; ++mendings) {
    Reader reader(source, name, options);
    auto documents = reader.read();
    auto escape = reader.unknown_escape();
    if (documents || mendings == kMostMendings || !escape ||
        !source.mend_escaped_quotes(escape->index, plain_mark(*escape)))
      return documents;
  }
}

}  // namespace kist::yaml
