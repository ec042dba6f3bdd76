// A queue and threads that are made as tasks come, up to the number of slots. A task waits with its stop signal, so
// that stopping a waiting one and a running one is the same: perform() of a task that was stopped before returns at
// once. Only, a stopped task must not wait for a slot to say so: a thread outside the slots ends it. Nor does a daemon
// keep its slot once it is ready: those that wait for it would never run where there is one slot.
#include <algorithm>
#include <condition_variable>
#include <deque>
#include <list>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "environment/place.hpp"

namespace kist::environment {
namespace {

struct Job {
  task::Document document;
  task::TaskServices* services;
  std::function<void(task::Outcome)> done;
  task::StopSignal stop;

  Job(task::Document&& to_perform, task::TaskServices& asked, std::function<void(task::Outcome)>&& told)
      : document(std::move(to_perform)), services(&asked), done(std::move(told)) {}
};
using Jobs = std::list<Job>;

// A task's engine, with one thing heard on the way: that the task is a daemon that can be used.
class ReadyHeard final : public task::TaskServices {
 public:
  ReadyHeard(task::TaskServices& services, std::function<void()> ready)
      : services_(services), ready_(std::move(ready)) {}
  void started() override { services_.started(); }
  void log(task::Stream stream, std::string_view bytes) override { services_.log(stream, bytes); }
  Status publish(const model::ArtifactRecord& artifact) override { return services_.publish(artifact); }
  void report(std::string_view progress) override { services_.report(progress); }
  void ready(std::string_view address) override {
    ready_();
    services_.ready(address);
  }
  void fetched(const model::ArtifactRecord& artifact) override { services_.fetched(artifact); }
  Result<task::SecretValues> secret(std::string_view name) override { return services_.secret(name); }
  Result<std::vector<std::string>> keys_below(std::string_view key) override { return services_.keys_below(key); }
  Result<ActedOn> act_on_object(const model::ObjectRequest& request) override {
    return services_.act_on_object(request);
  }

 private:
  task::TaskServices& services_;
  std::function<void()> ready_;
};

class Here final : public Place {
 public:
  Here(const task::Tools& tools, int slots) : tools_(tools), slots_(static_cast<std::size_t>(std::max(slots, 1))) {}

  ~Here() override {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    threads_.clear();  // joins
  }

  void submit(task::Document document, task::TaskServices& services, std::function<void(task::Outcome)> done) override {
    std::lock_guard lock(mutex_);
    waiting_.emplace_back(std::move(document), services, std::move(done));
    add_workers();
  }

  void stop(std::string_view run, std::string_view node, task::Stop how) override {
    std::lock_guard lock(mutex_);
    auto is_meant = [&](const Job& job) { return job.document.run == run && job.document.node.name == node; };
    for (Job& job : running_)
      if (is_meant(job)) job.stop.set(how);
    for (auto job = waiting_.begin(); job != waiting_.end();) {
      auto next = std::next(job);
      if (is_meant(*job)) {
        job->stop.set(how);
        stopped_.splice(stopped_.end(), waiting_, job);
      }
      job = next;
    }
    if (stopped_.empty()) return;
    if (!std::exchange(has_ender_, true)) threads_.emplace_back([this] { work(stopped_); });
    changed_.notify_all();
  }

 private:
  // As many as there is to do and as there are slots for. The mutex is held.
  void add_workers() {
    if (waiting_.size() > idle_ && workers_ < slots_ && !closing_) {
      ++workers_;
      threads_.emplace_back([this] { work(waiting_); });
    }
    changed_.notify_all();
  }

  // Performs the jobs of a queue until the place is closed and the queue is empty.
  void work(Jobs& queue) {
    const bool in_slot = &queue == &waiting_;
    std::unique_lock lock(mutex_);
    for (;;) {
      if (in_slot) ++idle_;
      changed_.wait(lock, [&] { return closing_ || !queue.empty(); });
      if (in_slot) --idle_;
      if (queue.empty()) return;
      auto job = queue.begin();
      running_.splice(running_.end(), queue, job);
      lock.unlock();
      if (in_slot) job->services->started();
      bool gave_slot = false;
      ReadyHeard services(*job->services, [&] {
        std::lock_guard also(mutex_);
        gave_slot = in_slot;
        if (!gave_slot) return;
        ++slots_;
        add_workers();
      });
      task::Outcome outcome = task::perform(job->document, tools_, services, job->stop);
      job->done(std::move(outcome));
      lock.lock();
      running_.erase(job);
      if (!gave_slot) continue;
      --slots_;
      if (workers_ <= slots_) continue;
      --workers_;
      return;
    }
  }

  const task::Tools tools_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
  std::size_t slots_;  // a daemon that is ready gives its own to others until it ends
  Jobs waiting_;
  Jobs stopped_;  // before they were started
  Jobs running_;
  std::size_t workers_ = 0;
  std::size_t idle_ = 0;
  bool has_ender_ = false;
  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace

std::unique_ptr<Place> make_local_place(const task::Tools& tools, int slots) {
  return std::make_unique<Here>(tools, slots);
}

}  // namespace kist::environment
