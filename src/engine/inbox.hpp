// What the engine's thread waits for, from the threads of places and from the committer.
#pragma once

#include <chrono>
#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "engine/node.hpp"
#include "model/record.hpp"
#include "task/task.hpp"

namespace kist::engine {

// Carries back to whoever waits that something is durable, or why it will never be. Told once; left untold, it says
// that the run has ended.
class Receipt {
 public:
  Receipt() = default;
  ~Receipt() {
    if (!told_) answer_.set_value(fail(ErrorKind::unavailable, "the run has ended before it was written down"));
  }
  Receipt(const Receipt&) = delete;
  Receipt& operator=(const Receipt&) = delete;

  std::future<Status> answer() { return answer_.get_future(); }
  void tell(Status status) {
    told_ = true;
    answer_.set_value(std::move(status));
  }

 private:
  std::promise<Status> answer_;
  bool told_ = false;
};

struct TaskStarted {
  Node* node;
};
struct TaskPublished {
  Node* node;
  model::ArtifactRecord artifact;
  std::shared_ptr<Receipt> receipt;
};
// A daemon can be used.
struct TaskReady {
  Node* node;
  std::string address;
};
struct TaskEnded {
  Node* node;
  task::Outcome outcome;
};
// Kist itself cannot go on.
struct Broken {
  Error error;
};
using Event = std::variant<TaskStarted, TaskPublished, TaskReady, TaskEnded, Broken>;

// Thread-safe. Shared by all who post, since a place's thread may still be inside post() when the run has ended.
class Inbox {
 public:
  void post(Event event) {
    std::lock_guard lock(mutex_);
    if (closed_) return;
    events_.push_back(std::move(event));
    changed_.notify_one();
  }

  // Nobody takes events any more: they are forgotten, now and later.
  void close() {
    std::vector<Event> forgotten;
    std::lock_guard lock(mutex_);
    closed_ = true;
    forgotten = std::exchange(events_, {});
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
  bool closed_ = false;
};

}  // namespace kist::engine
