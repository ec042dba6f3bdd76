// A queue and threads that are made as tasks come, up to the number of slots. A task waits with its stop signal, so
// that stopping a waiting one and a running one is the same: perform() of a task that was stopped before returns at
// once. Only, a stopped task must not wait for a slot to say so: a thread outside the slots ends it.
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
    if (waiting_.size() > idle_ && workers_ < slots_) {
      ++workers_;
      threads_.emplace_back([this] { work(waiting_); });
    }
    changed_.notify_all();
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
      task::Outcome outcome = task::perform(job->document, tools_, *job->services, job->stop);
      job->done(std::move(outcome));
      lock.lock();
      running_.erase(job);
    }
  }

  const task::Tools tools_;
  const std::size_t slots_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool closing_ = false;
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
