// What the engine's thread waits for, from the threads of places and from the committer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "engine/node.hpp"
#include "model/record.hpp"
#include "task/task.hpp"

namespace kist::engine {

struct TaskStarted {
  Node* node;
};
struct TaskPublished {
  Node* node;
  model::ArtifactRecord artifact;
};
struct TaskEnded {
  Node* node;
  task::Outcome outcome;
};
// Kist itself cannot go on.
struct Broken {
  Error error;
};
using Event = std::variant<TaskStarted, TaskPublished, TaskEnded, Broken>;

// Thread-safe. Shared by all who post, since a place's thread may still be inside post() when the run has ended.
class Inbox {
 public:
  void post(Event event) {
    std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_one();
  }

  // All events since the last call; waits for one until `deadline`.
  std::vector<Event> take(std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock(mutex_);
    changed_.wait_until(lock, deadline, [this] { return !events_.empty(); });
    return std::exchange(events_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Event> events_;
};

}  // namespace kist::engine
