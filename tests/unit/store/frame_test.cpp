#include "store/frame.hpp"

#include <random>

#include <gtest/gtest.h>

#include "base/base64.hpp"

namespace kist::store {
namespace {

std::string noise_of(std::size_t size) {
  std::mt19937 random(1);
  std::string text(size, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::string weights(std::size_t count) {
  std::mt19937 random(2);
  std::normal_distribution<float> normal(0, 0.02F);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    const float value = normal(random);
    text.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return text;
}

class Frames : public testing::TestWithParam<Codec> {};
INSTANTIATE_TEST_SUITE_P(Codecs, Frames, testing::Values(Codec::zstd, Codec::lz4));

TEST_P(Frames, are_compressed_where_that_pays) {
  auto length = [](const std::string& chunk) {
    Bytes frame;
    const std::size_t size = compress_frame(std::as_bytes(std::span(chunk)), GetParam(), frame);
    EXPECT_EQ(size, frame.size());
    Bytes back;
    EXPECT_TRUE(size == 0 || decode_frame(frame, chunk.size(), back));
    EXPECT_TRUE(size == 0 || std::ranges::equal(back, std::as_bytes(std::span(chunk))));
    return size;
  };
  for (const std::size_t size : {64U, 1000U, 2048U, 65536U}) {
    EXPECT_EQ(length(noise_of(size)), 0U) << size;
    EXPECT_GT(length(std::string(size, 'x')), 0U) << size;
    EXPECT_GT(length(std::string(size / 2, '\0') + noise_of(size / 2)), 0U) << size;
  }
  EXPECT_GT(length(to_base64(noise_of(30'000))), 0U);
  EXPECT_GT(length(weights(10'000)), 0U);
  EXPECT_EQ(length(std::string(63, 'x')), 0U);
}

TEST(Frame, of_lz4_are_those_where_it_finds_enough) {
  auto codec = [](const std::string& chunk) {
    Bytes frame;
    compress_frame(std::as_bytes(std::span(chunk)), Codec::lz4, frame);
    return codec_of(frame, chunk.size());
  };
  EXPECT_EQ(codec(std::string(1000, 'x')), Codec::lz4);
  EXPECT_EQ(codec(to_base64(noise_of(30'000))), Codec::zstd);
  EXPECT_EQ(codec(weights(10'000)), Codec::zstd);
}

}  // namespace
}  // namespace kist::store
