// Writes a run's state to the catalog, in groups: while one commit is under way the next group gathers. Whoever watches
// is told of a state only when it is durable. A node that changed several times in a group is written once, and told of
// where its last change stands among those of others: who has ended comes before who began because of it.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "catalog/catalog.hpp"
#include "engine/engine.hpp"
#include "engine/inbox.hpp"
#include "model/record.hpp"

namespace kist::engine {

// The observer of a run, one caller at a time.
class Audience {
 public:
  explicit Audience(Observer& observer) : observer_(observer) {}
  template <typename Tell>
  void tell(Tell tell) {
    std::lock_guard lock(mutex_);
    tell(observer_);
  }

 private:
  std::mutex mutex_;
  Observer& observer_;
};

// Thread-safe.
class Committer {
 public:
  // `broken` is called once, from the committer's thread, when a commit failed; nothing is written from then on.
  Committer(catalog::Catalog& catalog, std::string run, Audience& audience, std::function<void(Error)> broken);
  // Writes what has been given so far.
  ~Committer();

  // `receipt`: told when the node is durable. `measured` is written with it.
  void node(const model::NodeRecord& node, std::shared_ptr<Receipt> receipt = nullptr,
            std::vector<catalog::Measurement> measured = {});
  // `changes` are the run's own; `shown` is the run as it is with them, without nodes; none: nobody need hear of them.
  void run(catalog::Changes changes, std::optional<model::RunRecord> shown);

  // Waits until all that was given is durable and shown.
  Status flush();

 private:
  struct Group {
    std::vector<model::NodeRecord> nodes;
    std::unordered_map<std::string, std::size_t> index;  // of nodes, by name
    std::vector<std::size_t> changed;                    // the nodes, by index, as often as they changed
    std::vector<catalog::Measurement> measured;
    std::vector<catalog::Changes> changes;
    std::vector<model::RunRecord> shown;
    std::vector<std::shared_ptr<Receipt>> receipts;
    bool empty() const { return nodes.empty() && changes.empty(); }
  };

  void work();
  Status write(Group& group);

  catalog::Catalog& catalog_;
  const std::string run_;
  Audience& audience_;
  const std::function<void(Error)> broken_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Group next_;
  bool writing_ = false;
  bool ending_ = false;
  Status status_;
  std::jthread thread_;
};

}  // namespace kist::engine
