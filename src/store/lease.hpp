// What one process is doing in a store right now. A lease is a file in leases/ that its process keeps locked: the
// kernel frees it when the process dies, however it dies. It holds the moment of the oldest transaction under way, so
// that a collector never removes what that transaction may have found (collect.hpp); and its name marks this process's
// files in tmp/, so that whoever comes next can tell the files of the dead from those of the living, and sweeps them.
//
// Thread-safe. Nothing is written until it is first needed: who only reads leaves no trace.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/file.hpp"
#include "store/directory.hpp"

namespace kist::store {

// A moment of this machine's run, in nanoseconds: it never goes back, whatever is done to the clock, and counts anew
// after each start. All processes that could share a lease see the same.
using Moment = std::int64_t;
Moment this_moment();
// Changes each time the machine is started; empty where that cannot be told.
const std::string& this_boot();

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
    Hold(Lease& lease, Moment since) : lease_(&lease), since_(since) {}
    Lease* lease_;
    Moment since_;
  };
  Result<Hold> hold();

  // Since when the oldest hold of any process lasts; nullopt where nobody holds the store.
  static Result<std::optional<Moment>> oldest_hold(const StoreDirectory& directory);

 private:
  Status take();
  void sweep();
  Status record();

  const StoreDirectory& directory_;
  std::mutex mutex_;
  std::string name_;
  FileDescriptor file_;
  std::uint64_t counter_ = 0;
  std::multiset<Moment> holds_;
};

}  // namespace kist::store
