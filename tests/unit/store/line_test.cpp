#include "store/line.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace kist::store {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kMiB = 1 << 20;

// Sends packs as large as they should be, as many at once as there is room for, each taking so long. How much was under
// way at once.
std::uint64_t send_round(Line& line, Line::Duration took) {
  const std::uint64_t size = line.pack_size();
  std::vector<Line::Turn> turns;
  std::uint64_t room = std::max<std::uint64_t>(line.room(), size);
  for (; room >= size; room -= size) turns.push_back(line.take(size));
  for (const Line::Turn& turn : turns) {
    line.arrived(turn, took);
    line.give_back(turn);
  }
  return turns.size() * size;
}

TEST(Line, OfASlowLineEightMebibytesAreUnderWay) {
  Line line;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(send_round(line, i % 2 == 0 ? 2s : 60s), 8 * kMiB);
}

TEST(Line, AQuickLineIsFilledWithFullPacks) {
  Line line;
  std::uint64_t sent = 0;
  while (line.pack_size() < kPackTarget) sent += send_round(line, 100ms);
  EXPECT_LE(sent, 1ULL << 30);
  EXPECT_EQ(send_round(line, 100ms), Line::kMostAtOnce * kPackTarget);
  EXPECT_EQ(line.pack_size(), kPackTarget);
}

// What is under way never takes much more than four seconds, also where the line becomes slower.
TEST(Line, HoldsAsMuchAsGoesInAFewSeconds) {
  Line line;
  auto settle = [&](std::uint64_t per_second) {
    for (int i = 0; i < 12; ++i) send_round(line, std::chrono::milliseconds(line.room() * 1000 / per_second));
    return line.room();
  };
  EXPECT_LE(settle(20 * kMiB), 80 * kMiB);
  EXPECT_GE(settle(20 * kMiB), 20 * kMiB);
  EXPECT_EQ(settle(1 * kMiB), 8 * kMiB);
  EXPECT_LE(settle(40 * kMiB), 160 * kMiB);
}

TEST(Line, OnlyTheFirstOfARoundTells) {
  Line line;
  const auto first = line.take(4 * kMiB);
  const auto second = line.take(4 * kMiB);
  line.arrived(first, 1ms);
  line.arrived(second, 1ms);  // was under way when the room was the old one
  EXPECT_EQ(line.room(), 16 * kMiB);
  line.arrived(line.take(1000), 1ms);  // says nothing of the line
  EXPECT_EQ(line.room(), 16 * kMiB);
}

TEST(Line, AWaitingPackGoesWhenThereIsRoomAndALargeOneAlone) {
  Line line;
  const auto large = line.take(100 * kMiB);
  std::atomic<bool> went = false;
  std::jthread other([&] {
    line.give_back(line.take(1));
    went = true;
  });
  EXPECT_FALSE(went);
  line.give_back(large);
  other.join();
  EXPECT_TRUE(went);
}

}  // namespace
}  // namespace kist::store
