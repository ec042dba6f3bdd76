// What has been stored and is in no index yet takes a bounded part of memory.
#include "store/pending.hpp"

#include <atomic>
#include <cstring>
#include <optional>
#include <thread>

#include "store/adoption.hpp"
#include "store/fixture.hpp"

namespace kist::store {
namespace {

class PendingTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    directory_ = StoreDirectory::open(home());
    ASSERT_OK(directory_);
    lease_.emplace(*directory_);
    chunks_ = Chunks::open(*directory_, *lease_);
    ASSERT_OK(chunks_);
  }
  static Digest nth(std::size_t number) {
    Digest id;
    std::memcpy(id.value.data(), &number, sizeof number);
    return id;
  }

  Result<StoreDirectory> directory_ = fail(ErrorKind::not_found, "");
  std::optional<Lease> lease_;
  Result<std::unique_ptr<Chunks>> chunks_ = fail(ErrorKind::not_found, "");
};

TEST_F(PendingTest, RemembersSoManyChunksOfAFileAndNoMore) {
  auto table = AdoptionTable::create(*directory_, *lease_);
  ASSERT_OK(table);
  for (std::size_t i = 0; i < kMostUnpublished + 10; ++i) ASSERT_OK(table->add({nth(i), 1}));
  write(path("work/file"), "");
  const FileDescriptor file(::open(path("work/file").c_str(), O_RDONLY | O_CLOEXEC));
  auto staged = table->stage(*directory_, *lease_, file.get(), status_of(path("work/file")));
  ASSERT_OK(staged);
  ASSERT_TRUE(*staged);

  Pending pending(*directory_, *lease_, **chunks_, Codec::lz4);
  ASSERT_OK(pending.add(std::move(**staged)));
  EXPECT_EQ(pending.chunks(), kMostUnpublished);
  EXPECT_TRUE(pending.contains(nth(kMostUnpublished - 1)));
  EXPECT_FALSE(pending.contains(nth(kMostUnpublished)));
  pending.published();
  EXPECT_EQ(pending.chunks(), 0U);
}

// A large save publishes what it has while other threads still ask which of the next chunks are known.
TEST_F(PendingTest, IsAskedWhileItIsPublished) {
  Pending pending(*directory_, *lease_, **chunks_, Codec::lz4);
  std::atomic<std::size_t> asked = 0;
  const std::jthread other([&](const std::stop_token& stop) {
    for (; !stop.stop_requested(); ++asked) EXPECT_FALSE(pending.contains(nth(1)));
  });
  for (std::size_t round = 0; round < 500 || asked < 500; ++round) {
    ASSERT_OK(pending.put(std::as_bytes(std::span(&round, 1))));
    ASSERT_OK((*chunks_)->reload());  // another set than before
    pending.published();
  }
}

}  // namespace
}  // namespace kist::store
