// So many jobs, some at a time: for requests that wait for the network.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/result.hpp"

namespace kist::store {

// Does job(0) to job(count - 1), each once, in this order, at most `threads` at once. After an error no further job is
// begun; the first one is returned when those under way have ended.
inline Status in_parallel(std::size_t threads, std::size_t count, const std::function<Status(std::size_t)>& job) {
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  Status result;
  std::atomic<bool> failed = false;
  auto work = [&] {
    while (!failed) {
      const std::size_t number = next++;
      if (number >= count) return;
      if (auto done = job(number); !done) {
        std::lock_guard lock(mutex);
        if (result) result = std::move(done);
        failed = true;
      }
    }
  };
  std::vector<std::jthread> helpers;
  for (std::size_t i = 1; i < std::min(threads, count); ++i) helpers.emplace_back(work);
  work();
  helpers.clear();
  return result;
}

}  // namespace kist::store
