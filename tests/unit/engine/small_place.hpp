// A place for the engine's tests: a task is one command of this file's own, performed at once in a thread of a pool.
//
//   fail-until N {{retries}}                   fails with exit code 3 while its attempts are fewer than N
//   succeed | fail | error TEXT | full         how it ends; full: kist cannot go on
//   print TEXT                                 logs it, and it is the result
//   set NAME VALUE                             an output parameter
//   make NAME                                  an output artifact, whose tree is the digest of "NODE/NAME"
//   publish NAME                               publishes one, and waits
//   wait                                       until it is asked to stop
//   hold                                       until release() was called, or it is asked to stop
#pragma once

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "environment/place.hpp"

namespace kist::engine::testing {

class SmallPlace : public environment::Place {
 public:
  explicit SmallPlace(int slots = 2) {
    for (int i = 0; i < slots; ++i) threads_.emplace_back([this] { work(); });
  }
  ~SmallPlace() override {
    {
      std::lock_guard lock(mutex_);
      ending_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }

  void submit(task::Document document, task::TaskServices& services, std::function<void(task::Outcome)> done) override {
    std::lock_guard lock(mutex_);
    stops_.erase(document.node.name);  // what an earlier attempt of it was asked
    waiting_.push_back({std::move(document), &services, std::move(done)});
    changed_.notify_all();
  }
  void stop(std::string_view, std::string_view node, task::Stop how) override {
    std::lock_guard lock(mutex_);
    task::Stop& asked = stops_[std::string(node)];
    asked = std::max(asked, how);
    changed_.notify_all();
  }

  void release() {
    std::lock_guard lock(mutex_);
    released_ = true;
    changed_.notify_all();
  }
  void wait_until_running(const std::string& node) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return running_.contains(node); });
  }
  // Documents in the order they began, each once.
  std::vector<task::Document> began() {
    std::lock_guard lock(mutex_);
    return began_;
  }
  std::vector<std::string> began_nodes() {
    std::vector<std::string> names;
    for (const task::Document& document : began()) names.push_back(document.node.name);
    return names;
  }

  bool keep_documents = true;

 private:
  struct Waiting {
    task::Document document;
    task::TaskServices* services;
    std::function<void(task::Outcome)> done;
  };

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      Waiting task = std::move(waiting_.front());
      waiting_.pop_front();
      std::string node = task.document.node.name;
      if (stops_.contains(node)) {
        lock.unlock();
        task.done(stopped(stops_[node]));
        lock.lock();
        continue;
      }
      running_.insert(node);
      if (keep_documents) began_.push_back(task.document);
      changed_.notify_all();
      lock.unlock();
      task.services->started();
      task::Outcome outcome = perform(task);
      lock.lock();
      running_.erase(node);
      lock.unlock();
      task.done(std::move(outcome));
      lock.lock();
    }
  }

  static task::Outcome stopped(task::Stop how) {
    task::Outcome outcome;
    outcome.state = how == task::Stop::abort ? model::State::aborted : model::State::stopped;
    return outcome;
  }

  task::Outcome perform(const Waiting& task) {
    std::vector<std::string> words;
    for (const model::Action& action : task.document.task.actions)
      if (const auto* run = std::get_if<model::Run>(&action.what))
        for (const model::Text& word : run->command) words.push_back(word.source());
    words.resize(3);
    const std::string& node = task.document.node.name;
    task::Outcome outcome;
    outcome.exit_code = 0;
    auto artifact = [&] {
      model::ArtifactRecord record;
      record.name = record.path = words[1];
      record.tree = sha256(node + "/" + words[1]);
      return record;
    };
    if (words[0] == "fail-until" && std::stoi(words[2]) < std::stoi(words[1])) {
      outcome.state = model::State::failed;
      outcome.exit_code = 3;
      outcome.process = model::ProcessEnd{.container = "main", .action = "", .exit_code = 3, .signal = 0};
      outcome.parameters = {{"tries", words[2]}};
    } else if (words[0] == "fail") {
      outcome.state = model::State::failed;
      outcome.exit_code = 1;
      outcome.process = model::ProcessEnd{.container = "main", .action = "", .exit_code = 1, .signal = 0};
    } else if (words[0] == "error") {
      outcome.state = model::State::error;
      outcome.problems = {words[1]};
    } else if (words[0] == "full") {
      outcome.state = model::State::error;
      outcome.failure = Error{ErrorKind::no_space, "disk full"};
    } else if (words[0] == "print") {
      task.services->log(task::Stream::output, words[1] + "\n");
      outcome.result = words[1];
    } else if (words[0] == "set") {
      outcome.parameters = {{words[1], words[2]}};
    } else if (words[0] == "make") {
      outcome.artifacts = {artifact()};
    } else if (words[0] == "publish") {
      (void)task.services->publish(artifact());
      return wait(node, false);
    } else if (words[0] == "wait" || words[0] == "hold") {
      return wait(node, words[0] == "hold");
    }
    return outcome;
  }

  task::Outcome wait(const std::string& node, bool held) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return stops_.contains(node) || (held && released_); });
    if (!stops_.contains(node)) return {};
    // A graceful stop of a "wait" is not heard: it needs an abort.
    if (!held) changed_.wait(lock, [&] { return stops_[node] == task::Stop::abort || !ignore_graceful; });
    return stopped(stops_[node]);
  }

 public:
  bool ignore_graceful = false;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Waiting> waiting_;
  std::map<std::string, task::Stop> stops_;
  std::set<std::string> running_;
  std::vector<task::Document> began_;
  bool released_ = false;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kist::engine::testing
