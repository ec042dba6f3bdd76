#include <random>

#include <gtest/gtest.h>

#include "base/sha256_each.hpp"

namespace kist {
namespace {

TEST(Sha256Each, says_what_openssl_says) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    std::vector<std::string> texts(random() % 9);
    for (std::string& text : texts) {
      // Lengths around the ends of blocks, and some of many blocks.
      text.resize(random() % 4 == 0 ? random() % 100'000 : random() % 200);
      for (char& c : text) c = static_cast<char>(random());
    }
    std::vector<std::span<const std::byte>> parts;
    for (const std::string& text : texts) parts.push_back(std::as_bytes(std::span(text)));
    std::vector<Digest> digests(parts.size());
    sha256_each(parts, digests);
    for (std::size_t i = 0; i < parts.size(); ++i) EXPECT_EQ(digests[i], sha256(parts[i])) << parts[i].size();
  }
}

}  // namespace
}  // namespace kist
