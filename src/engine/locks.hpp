// The locks of a run's nodes: those they hold, and the line of those that wait. Locks are shared with other runs, so
// the catalog decides who gets them; who waits asks again. Only the engine's thread uses this.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "engine/engine.hpp"
#include "engine/node.hpp"
#include "expression/scope.hpp"
#include "model/dialect.hpp"
#include "model/workflow.hpp"

namespace kist::engine {

// Locks whose names and limits are known. Errors: invalid, a limit that is not a number; those of the texts.
Result<std::vector<catalog::LockWish>> wishes_of(const std::vector<model::Lock>& locks, const expression::Scope& scope);

class LockQueue {
 public:
  // Who holds what is held for the whole run: its entry may hold locks of its own beside them.
  static constexpr std::string_view kWholeRun = "/";

  // `priority`: the run's, where others wait for the same locks.
  LockQueue(const Parts& parts, const model::RunRecord& run, std::int64_t priority, const model::Wording& wording)
      : parts_(parts), run_(run), priority_(priority), wording_(wording) {}

  // Nothing: all of them are held. Else what is waited for, to be shown; the node is in the line then.
  using Waiting = std::optional<std::string>;

  // For a node, in the name of `holder`: the node's own, or kWholeRun. Errors: those of the catalog, but for a busy
  // one, which is asked again.
  Result<Waiting> take(Node& node, std::string_view holder, std::vector<catalog::LockWish> wishes);

  // Asks again for all that are in the line, the first to come first. `waits` says whether a node still does: the place
  // of one that was ended is given up. `answered` hears of each of the others; who has got its locks, or an error, is
  // out of the line. It may take and give back locks.
  void ask_again(const std::function<bool(Node&)>& waits,
                 const std::function<void(Node&, std::string_view holder, const Result<Waiting>&)>& answered);

  // What the node itself holds, where it does. Should that not be written, it is free when the run has ended.
  void give_back(const Node& node);
  // All that the run holds, and its places in the lines.
  void give_back_all();

  // Whether one was given back since this was asked last: others of this run may get it at once.
  bool was_freed() { return std::exchange(freed_, false); }

 private:
  struct Place {
    Node* node;
    std::string holder;
    std::vector<catalog::LockWish> wishes;
    bool asked = false;  // the catalog knows of it
  };
  Result<Waiting> ask(Place& place);
  void release(const std::string& holder);

  const Parts& parts_;
  const model::RunRecord& run_;
  const std::int64_t priority_;
  const model::Wording& wording_;
  std::vector<Place> line_;
  std::unordered_map<std::string, std::string> blocked_;  // what is said of a lock that is waited for, by its name
  std::unordered_set<std::string> holding_;
  bool used_ = false;
  bool freed_ = false;
};

}  // namespace kist::engine
