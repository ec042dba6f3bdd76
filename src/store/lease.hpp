// What one process is doing in a store right now. A lease is a file in leases/ that its process keeps locked: the
// kernel frees it when the process dies, however it dies. It holds the time of the oldest transaction under way, so
// that a collector never removes what that transaction may have found; and its name marks this process's files in tmp/,
// so that whoever comes next can tell the files of the dead from those of the living, and sweeps them.
//
// Thread-safe. Nothing is written until it is first needed: who only reads leaves no trace.
#pragma once

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <utility>

#include "base/file.hpp"
#include "base/time.hpp"
#include "store/directory.hpp"

namespace kist::store {

class Lease {
 public:
  // `directory` must outlive it.
  explicit Lease(const StoreDirectory& directory) : directory_(directory) {}
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;

  // A name in tmp/ that nobody else uses.
  Result<std::string> temporary_name();

  // While it lives, nothing that is in the store from now on is collected. Must not outlive the lease.
  class Hold {
   public:
    Hold(Hold&& other) noexcept : lease_(std::exchange(other.lease_, nullptr)), since_(other.since_) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    friend class Lease;
    Hold(Lease& lease, Time since) : lease_(&lease), since_(since) {}
    Lease* lease_;
    Time since_;
  };
  Result<Hold> hold();

 private:
  Status take();
  void sweep();
  Status record();

  const StoreDirectory& directory_;
  std::mutex mutex_;
  std::string name_;
  FileDescriptor file_;
  std::uint64_t counter_ = 0;
  std::multiset<Time> holds_;
};

}  // namespace kist::store
