// What the tests put between the store and the operating system.
#pragma once

#include <atomic>
#include <cerrno>
#include <climits>
#include <functional>
#include <map>
#include <mutex>

#include "base/system.hpp"
#include "store/fixture.hpp"

namespace kist::store {

// Installed while it lives.
class Watching : public os::Observer {
 public:
  Watching() { os::observe(this); }
  ~Watching() override { os::observe(nullptr); }
  int before(os::Operation operation) override {
    std::lock_guard lock(mutex_);
    ++counts_[operation];
    return 0;
  }
  void synced(int) override {}
  int count(os::Operation operation) {
    std::lock_guard lock(mutex_);
    return counts_[operation];
  }

 private:
  std::mutex mutex_;
  std::map<os::Operation, int> counts_;
};

// Lets so many calls that change something happen, and fails the next with an errno: only that one, or all from then
// on.
class Failing : public os::Observer {
 public:
  enum class How { once, from_then_on };
  Failing(int calls, int error, How how, bool only_writes = false)
      : left_(calls), error_(error), how_(how), only_writes_(only_writes) {
    os::observe(this);
  }
  ~Failing() override { os::observe(nullptr); }
  int before(os::Operation operation) override {
    if (operation == os::Operation::read) return 0;
    bool grows = operation == os::Operation::write || operation == os::Operation::make_directory ||
                 operation == os::Operation::link || operation == os::Operation::sync;
    if (only_writes_ && !grows) return 0;
    int left = left_.fetch_sub(1);
    bool fail = how_ == How::once ? left == 0 : left <= 0;
    if (fail) failed_ = true;
    return fail ? error_ : 0;
  }
  void synced(int) override {}
  bool failed() const { return failed_; }

 private:
  std::atomic<int> left_;
  int error_;
  How how_;
  bool only_writes_;
  std::atomic<bool> failed_{false};
};

// Appends to a file when something is read: so many times, or always.
class Appending : public os::Observer {
 public:
  explicit Appending(fs::path file, int times = INT_MAX) : file_(std::move(file)), left_(times) { os::observe(this); }
  ~Appending() override { os::observe(nullptr); }
  int before(os::Operation operation) override {
    if (operation == os::Operation::read && left_-- > 0) std::ofstream(file_, std::ios::app) << "more";
    return 0;
  }
  void synced(int) override {}

 private:
  fs::path file_;
  std::atomic<int> left_;
};

// Lets the n-th call of a kind fail, and only that one.
class FailingCall : public os::Observer {
 public:
  FailingCall(os::Operation operation, int number, int error) : operation_(operation), left_(number), error_(error) {
    os::observe(this);
  }
  ~FailingCall() override { os::observe(nullptr); }
  int before(os::Operation operation) override {
    if (operation != operation_ || left_-- != 0) return 0;
    failed_ = true;
    return error_;
  }
  void synced(int) override {}
  bool failed() const { return failed_; }

 private:
  const os::Operation operation_;
  std::atomic<int> left_;
  const int error_;
  std::atomic<bool> failed_{false};
};

// Lets the n-th opening of a file or directory be refused.
class Denying : public os::Observer {
 public:
  explicit Denying(int number) : left_(number) { os::observe(this); }
  ~Denying() override { os::observe(nullptr); }
  int before(os::Operation operation) override {
    if (operation != os::Operation::open || left_-- != 0) return 0;
    denied_ = true;
    return EACCES;
  }
  void synced(int) override {}
  bool denied() const { return denied_; }

 private:
  std::atomic<int> left_;
  std::atomic<bool> denied_{false};
};

}  // namespace kist::store
