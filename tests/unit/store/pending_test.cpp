// What has been stored and is in no index yet takes a bounded part of memory.
#include "store/pending.hpp"

#include <atomic>
#include <cstring>
#include <thread>

#include "store/adoption.hpp"
#include "store/fixture.hpp"

namespace kist::store {
namespace {

class PendingTest : public StoreTest {
 protected:
  static Digest nth(std::size_t number) {
    Digest id;
    std::memcpy(id.value.data(), &number, sizeof number);
    return id;
  }
};

TEST_F(PendingTest, RemembersSoManyChunksOfAFileAndNoMore) {
  auto directory = StoreDirectory::open(home());
  ASSERT_OK(directory);
  Lease lease(*directory);
  auto chunks = Chunks::open(*directory, lease);
  ASSERT_OK(chunks);

  auto table = AdoptionTable::create(*directory, lease);
  ASSERT_OK(table);
  for (std::size_t i = 0; i < kMostUnpublished + 10; ++i) ASSERT_OK(table->add({nth(i), 1}));
  write(path("work/file"), "");
  const FileDescriptor file(::open(path("work/file").c_str(), O_RDONLY | O_CLOEXEC));
  auto staged = table->stage(*directory, lease, file.get(), status_of(path("work/file")));
  ASSERT_OK(staged);
  ASSERT_TRUE(*staged);

  Pending pending(*directory, lease, **chunks);
  ASSERT_OK(pending.add(std::move(**staged)));
  EXPECT_EQ(pending.chunks(), kMostUnpublished);
  EXPECT_TRUE(pending.contains(nth(kMostUnpublished - 1)));
  EXPECT_FALSE(pending.contains(nth(kMostUnpublished)));
  pending.published();
  EXPECT_EQ(pending.chunks(), 0U);
}

// A large save publishes what it has while other threads still ask which of the next chunks are known.
TEST_F(PendingTest, IsAskedWhileItIsPublished) {
  auto directory = StoreDirectory::open(home());
  ASSERT_OK(directory);
  Lease lease(*directory);
  auto chunks = Chunks::open(*directory, lease);
  ASSERT_OK(chunks);
  Pending pending(*directory, lease, **chunks);
  std::atomic<std::size_t> asked = 0;
  std::atomic<bool> ended = false;
  std::jthread other([&] {
    for (; !ended; ++asked) EXPECT_FALSE(pending.contains(nth(1)));
  });
  for (std::size_t round = 0; round < 500 || asked < 500; ++round) {
    ASSERT_OK(pending.put(std::as_bytes(std::span(&round, 1))));
    ASSERT_OK((*chunks)->reload());  // another set than before
    pending.published();
  }
  ended = true;
}

}  // namespace
}  // namespace kist::store
