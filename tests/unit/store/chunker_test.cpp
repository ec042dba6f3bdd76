// Cuts are part of the format: however they are found, they are those of docs/format.md.
#include "store/chunker.hpp"

#include "store/container.hpp"
#include "store/fixture.hpp"

namespace kist::store {
namespace {

// As the page says it, byte by byte.
std::size_t by_the_book(ByteSpan bytes) {
  if (bytes.size() <= 16384) return bytes.size();
  std::uint64_t hash = 0;
  for (std::size_t p = 16384; p < std::min<std::size_t>(bytes.size(), 262144); ++p) {
    hash = hash * 2 + gear_table()[std::to_integer<std::uint8_t>(bytes[p])];
    if ((hash & (p < 65536 ? 0xFFFFC00000000000 : 0xFFFC000000000000)) == 0) return p + 1;
  }
  return std::min<std::size_t>(bytes.size(), 262144);
}

TEST(Chunker, CutsAreThoseOfTheFormat) {
  for (unsigned seed = 0; seed < 4; ++seed) {
    std::string text = seed == 0 ? prose(4 << 20) : noise((4 << 20) + seed, seed);
    for (ByteSpan rest = bytes_of(text); !rest.empty();) {
      std::size_t length = by_the_book(rest);
      ASSERT_EQ(first_chunk(rest), length);
      rest = rest.subspan(length);
    }
  }
  std::string text = noise(300'000, 9);
  for (std::size_t size :
       {1, 16384, 16385, 16386, 16387, 16388, 65535, 65536, 65537, 65538, 65539, 262143, 262144, 262145})
    EXPECT_EQ(first_chunk(bytes_of(text).first(size)), by_the_book(bytes_of(text).first(size))) << size;
}

class LargeFile : public StoreTest {};

// Read in segments by several threads: the file's id is that of the chunks one after the other.
TEST_F(LargeFile, HasTheCutsOfOneScan) {
  constexpr std::size_t kSize = (65 << 20) + 12'345;
  auto periodic = [](std::size_t size) {
    std::string text;
    while (text.size() < size) text += "of such a text no window ends a chunk; ";
    text.resize(size);
    return text;
  };
  // Of the last three: segments never meet the chain; they meet it only where they begin; they lose it on the way.
  auto texts = std::to_array<std::function<std::string()>>({
      [] { return noise(kSize, 1); },
      [&] { return noise(100'001, 2) + periodic(kSize - 100'001); },
      [&] { return periodic(kSize); },
      [&] { return noise(33 << 20, 3) + periodic(9 << 20) + noise(kSize - (42 << 20), 4); },
  });
  for (const auto& text_of : texts) {
    std::string text = text_of();
    Sha256 expected;
    for (ByteSpan rest = bytes_of(text); !rest.empty();) {
      const std::size_t length = first_chunk(rest);
      Bytes record;
      write_chunk_record(record, {sha256(rest.first(length)), static_cast<std::uint32_t>(length)});
      expected.update(record);
      rest = rest.subspan(length);
    }
    const Digest id = expected.finish();
    for (bool adopt : {false, true}) {
      write(path("work/large"), text);
      Saved saved = save(path("work/large"), {.adopt = adopt});
      EXPECT_EQ(store_->find(saved.id, "")->file, id);
      EXPECT_EQ(saved.bytes, kSize);
      fs::remove(path("work/large"));
      fs::remove_all(home());
      reopen();
    }
  }
}

}  // namespace
}  // namespace kist::store
