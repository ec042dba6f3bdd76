#include "cli/live_sender.hpp"

#include <atomic>
#include <future>

#include <gtest/gtest.h>

namespace kist::cli {
namespace {

using std::chrono::milliseconds;

TEST(LiveSender, SendsTheNewestStateAndNeverTwiceAtOnce) {
  std::atomic<int> state = 0;
  std::atomic<int> sent = -1;
  std::atomic<int> at_once = 0;
  std::atomic<int> sendings = 0;
  {
    LiveSender sender(
        [&]() -> Status {
          EXPECT_EQ(++at_once, 1);
          ++sendings;
          sent = state.load();
          --at_once;
          return {};
        },
        [](const Error&) {}, milliseconds(1));
    for (int i = 1; i <= 1000; ++i) {
      state = i;
      sender.wake();
    }
    while (sent != 1000) std::this_thread::yield();
  }
  EXPECT_GE(sendings, 1);
  EXPECT_LE(sendings, 1000);
}

TEST(LiveSender, SaysItsFirstErrorAndGoesOn) {
  std::atomic<int> sendings = 0;
  std::atomic<int> errors = 0;
  LiveSender sender([&]() -> Status { return ++sendings < 3 ? fail(ErrorKind::unavailable, "no network") : Status(); },
                    [&](const Error&) { ++errors; }, milliseconds(1));
  while (sendings < 3) sender.wake();
  EXPECT_EQ(errors, 1);
}

TEST(LiveSender, WaitsBetweenTwoSendingsButNotToEnd) {
  std::promise<void> first;
  std::atomic<int> sendings = 0;
  {
    LiveSender sender(
        [&]() -> Status {
          if (++sendings == 1) first.set_value();
          return {};
        },
        [](const Error&) {}, std::chrono::hours(1));
    sender.wake();
    first.get_future().wait();
    for (int i = 0; i < 100; ++i) sender.wake();
  }
  EXPECT_EQ(sendings, 1);
}

}  // namespace
}  // namespace kist::cli
