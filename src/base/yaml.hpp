// YAML as plain data with positions. A document is read once (libyaml) into nodes that own their text; scalars keep
// their source text, so a dialect decides whether `3.10` is a number. Aliases are expanded, merge keys (`<<`) applied.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"

namespace kist::yaml {

// Where something stands in a file; both count from 1. 0 where there is no place.
struct Mark {
  int line = 0;
  int column = 0;
  int source = 0;  // which of several texts; parse() leaves it 0, who reads several numbers them
};

enum class Kind { null, scalar, sequence, mapping };

// One node. What an alias or a merge key brings in keeps the mark of where it was written. A tree is immutable after
// parsing and may be read by any thread.
struct Node {
  Node();  // written out: otherwise clang goes round in circles between Node and the pairs of it

  Kind kind = Kind::null;
  Mark mark;
  std::string text;     // a scalar's value after quotes and folding are resolved; of null: as written (``, `~`, `null`)
  bool quoted = false;  // a scalar in quotes or a block: never a number, boolean or null
  std::string tag;      // an explicit tag such as "!!str" or "!own"; mostly empty
  std::vector<Node> items;                     // of a sequence
  std::vector<std::pair<Node, Node>> entries;  // of a mapping, in source order, merge keys applied

  bool is_null() const { return kind == Kind::null; }
  bool is_scalar() const { return kind == Kind::scalar; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_mapping() const { return kind == Kind::mapping; }

  // The value of a mapping's key, or nullptr. Keys are scalars, compared by text. Linear: mappings in workflow files
  // are short.
  const Node* find(std::string_view key) const;
};

struct Options {
  bool duplicate_keys = false;  // several of one key: the last wins, instead of an error (Go's reader for Argo, PyYAML)
  std::uint64_t node_limit = 2'000'000;  // after the expansion of aliases: a bomb is an error, not a memory problem
  int depth_limit = 200;
};

// All documents of a text (`---`). An empty text has none, an empty document is null. A `<<` may be repeated in any
// mapping (CircleCI's files do): explicit keys win over merged ones, earlier merges over later ones. Errors: invalid,
// "NAME:LINE:COLUMN: what was expected". `name` is the file's name as the user wrote it. JSON is YAML.
Result<std::vector<Node>> parse(std::string_view text, std::string_view name, const Options& options = {});

// YAML's core schema (1.2) with 1.1's spellings (yes, no, on, off) where `yaml11`: the typed reading of a plain scalar,
// or of one with that type's tag.
std::optional<bool> as_boolean(const Node& node, bool yaml11 = false);
std::optional<std::int64_t> as_integer(const Node& node);  // decimal, 0x, 0o and (YAML 1.1) 0755
std::optional<double> as_number(const Node& node);         // integers too; .inf and .nan

// The node as JSON by the same readings: quoted scalars are strings, plain ones are typed; numbers JSON does not have
// are strings.
Json to_json(const Node& node);

}  // namespace kist::yaml
