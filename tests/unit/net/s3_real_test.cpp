// The client against real servers, which have opinions of their own. Skipped, with the reason, where they are not.
#include <random>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include "net/read_object.hpp"
#include "net/real_s3.hpp"
#include "net/s3_objects.hpp"

namespace kist::net {
namespace {

using testing::ElementsAre;

// One server for all tests of a kind, as it takes a while to start.
template <const char* const& kKind>
struct RealServer : testing::Test {
  static inline std::unique_ptr<RealS3> server;
  static inline std::optional<S3Settings> settings;
  static inline std::string reason;

  static void SetUpTestSuite() {
    server = std::make_unique<RealS3>();
    settings = RealS3::start(kKind, *server, reason);
    if (!settings) return;
    settings->bucket = "bucket";
    settings->multipart_from = 6 << 20;
    settings->part_size = 5 << 20;
    ASSERT_TRUE(S3Client::make(*settings).value()->create_bucket());
    ASSERT_TRUE(S3Client::make(*settings).value()->create_bucket());
  }
  static void TearDownTestSuite() { server.reset(); }

  std::unique_ptr<S3Client> client;
  std::unique_ptr<ObjectStore> objects;

  void SetUp() override {
    if (!settings) GTEST_SKIP() << reason;
    client = S3Client::make(*settings).value();
    const std::string name = testing::UnitTest::GetInstance()->current_test_info()->name();
    objects = open_s3_objects("prefix/" + name, *settings).value();
  }

  std::string text(std::string_view name, std::uint64_t offset = 0, std::uint64_t length = UINT64_MAX) {
    return read_object(*objects, name, offset, length);
  }
  static std::string random_text(std::size_t size) {
    std::mt19937_64 random(size);
    std::string text(size, ' ');
    for (char& c : text) c = static_cast<char>(random());
    return text;
  }
  static ErrorKind kind_of(const Result<std::string>& result) { return result ? ErrorKind::io : result.error().kind; }

  void conditions() {
    EXPECT_EQ(objects->obeys_conditions().value(), true);
    const auto first = objects->put("ref", text_body("one"), {.kind = PutCondition::Kind::absent, .version = {}});
    ASSERT_TRUE(first) << first.error().text;
    EXPECT_EQ(kind_of(objects->put("ref", text_body("two"), {.kind = PutCondition::Kind::absent, .version = {}})),
              ErrorKind::conflict);
    const auto second = objects->put("ref", text_body("two"), {.kind = PutCondition::Kind::matches, .version = *first});
    ASSERT_TRUE(second) << second.error().text;
    EXPECT_EQ(
        kind_of(objects->put("ref", text_body("three"), {.kind = PutCondition::Kind::matches, .version = *first})),
        ErrorKind::conflict);
    EXPECT_EQ(kind_of(objects->put("none", text_body("x"), {.kind = PutCondition::Kind::matches, .version = *first})),
              ErrorKind::conflict);
    EXPECT_EQ(text("ref"), "two");
    EXPECT_EQ(objects->head("ref").value().version, *second);
  }

  void one_winner() {
    std::atomic<int> won{0};
    std::atomic<int> lost{0};
    {
      std::vector<std::jthread> racers;
      for (int i = 0; i < 12; ++i)
        racers.emplace_back([&, i] {
          const std::string mine = fmt::format("racer {}", i);
          auto put = objects->put("race", text_body(mine), {.kind = PutCondition::Kind::absent, .version = {}});
          if (put) ++won;
          if (!put && put.error().kind == ErrorKind::conflict) ++lost;
        });
    }
    EXPECT_EQ(won.load(), 1);
    EXPECT_EQ(lost.load(), 11);
  }

  void ranges_and_lists() {
    ASSERT_TRUE(objects->put("b/2", text_body("0123456789")));
    ASSERT_TRUE(objects->put("b/1", text_body("")));
    ASSERT_TRUE(objects->put("b-", text_body("x")));
    EXPECT_EQ(text("b/2", 3, 4), "3456");
    EXPECT_EQ(text("b/2", 8), "89");
    EXPECT_EQ(text("b/2", 10), "");
    EXPECT_EQ(text("b/1"), "");
    EXPECT_EQ(text("b/3"), "not found");
    EXPECT_EQ(objects->head("b/2").value().size, 10U);
    EXPECT_EQ(objects->head("b/4").error().kind, ErrorKind::not_found);
    std::vector<std::string> names;
    ASSERT_TRUE(objects->list("b", [&](const ObjectInfo& info) {
      names.push_back(info.name);
      return true;
    }));
    EXPECT_THAT(names, ElementsAre("b-", "b/1", "b/2"));
    const auto folded = client->list("prefix/", "/");
    ASSERT_TRUE(folded);
    EXPECT_FALSE(folded->prefixes.empty());
    ASSERT_TRUE(objects->remove("b/2"));
    ASSERT_TRUE(objects->remove("b/2"));
    EXPECT_EQ(text("b/2"), "not found");
  }

  void odd_keys() {
    for (const std::string key : {"odd/a b+c%2F", "odd/ä/ü", "odd/=&?#'()!~*"}) {
      ASSERT_TRUE(client->put(key, text_body(key)));
      EXPECT_EQ(client->head(key).value().size, key.size());
    }
    std::vector<std::string> keys;
    const S3Listing listing = client->list("odd/").value();
    for (const S3Object& object : listing.objects) keys.push_back(object.key);
    EXPECT_THAT(keys, ElementsAre("odd/=&?#'()!~*", "odd/a b+c%2F", "odd/ä/ü"));
    ASSERT_TRUE(client->remove(keys));
    EXPECT_TRUE(client->list("odd/").value().objects.empty());
  }

  void more_than_a_page() {
    std::vector<std::string> keys;
    {
      std::vector<std::jthread> workers;
      for (int worker = 0; worker < 8; ++worker)
        workers.emplace_back([&, worker] {
          for (int i = worker; i < 1010; i += 8) EXPECT_TRUE(client->put(fmt::format("many/{:04}", i), text_body("x")));
        });
    }
    int count = 0;
    ASSERT_TRUE(open_s3_objects("many", *settings).value()->list("", [&](const ObjectInfo& info) {
      EXPECT_EQ(info.name, fmt::format("{:04}", count++));
      keys.push_back("many/" + info.name);
      return true;
    }));
    EXPECT_EQ(count, 1010);
    ASSERT_TRUE(client->remove(keys));
    EXPECT_TRUE(client->list("many/").value().objects.empty());
  }

  void parts() {
    const std::string all = random_text(17 << 20);
    FileDescriptor file(::memfd_create("body", MFD_CLOEXEC));
    ASSERT_TRUE(write_all(file.get(), all, "body"));
    const Body body{.bytes = {}, .file = file.get(), .offset = 0, .size = all.size()};
    // An upload that came as far as its second part, and its third wrong.
    const auto upload = client->create_upload("prefix/" + name() + "/big");
    ASSERT_TRUE(upload) << upload.error().text;
    ASSERT_TRUE(client->put_part(*upload, 1, body.piece(0, 5 << 20)));
    ASSERT_TRUE(client->put_part(*upload, 2, body.piece(5 << 20, 5 << 20)));
    ASSERT_TRUE(client->put_part(*upload, 3, body.piece(0, 5 << 20)));
    EXPECT_EQ(client->list_parts(*upload).value().size(), 3U);
    std::atomic<std::uint64_t> moved{0};
    const auto put = objects->put("big", body, {.kind = PutCondition::Kind::absent, .version = {}},
                                  [&](std::uint64_t bytes) { moved += bytes; });
    ASSERT_TRUE(put) << put.error().text;
    EXPECT_EQ(moved.load(), 7U << 20);
    EXPECT_TRUE(text("big") == all);
    EXPECT_TRUE(text("big", 5'000'000, 6'000'000) == all.substr(5'000'000, 6'000'000));
    EXPECT_TRUE(client->list_uploads("prefix/" + name()).value().empty());
    EXPECT_EQ(kind_of(objects->put("big", body, {.kind = PutCondition::Kind::absent, .version = {}})),
              ErrorKind::conflict);
    const auto replaced = objects->put("big", body, {.kind = PutCondition::Kind::matches, .version = *put});
    EXPECT_TRUE(replaced) << replaced.error().text;
    const auto aborted = client->create_upload("aborted");
    ASSERT_TRUE(client->abort_upload(*aborted));
    EXPECT_EQ(client->list_parts(*aborted).error().kind, ErrorKind::not_found);
  }

  void refusals() {
    S3Settings wrong = *settings;
    wrong.credentials->secret_key = "wrong";
    EXPECT_EQ(kind_of(open_s3_objects("", wrong).value()->put("x", text_body("x"))), ErrorKind::denied);
    S3Settings none = *settings;
    none.bucket = "no-such-bucket";
    EXPECT_EQ(open_s3_objects("", none).value()->head("x").error().kind, ErrorKind::invalid);
    EXPECT_EQ(kind_of(open_s3_objects("", none).value()->put("x", text_body("x"))), ErrorKind::invalid);
    S3Settings nobody = *settings;
    nobody.credentials.reset();
    EXPECT_EQ(kind_of(open_s3_objects("", nobody).value()->put("x", text_body("x"))), ErrorKind::denied);
  }

 private:
  static std::string name() { return testing::UnitTest::GetInstance()->current_test_info()->name(); }
};

constexpr const char* kMinio = "minio";
constexpr const char* kRadosgw = "radosgw";
using S3OnMinio = RealServer<kMinio>;
using S3OnRadosgw = RealServer<kRadosgw>;

TEST_F(S3OnMinio, Conditions) {
  conditions();
}
TEST_F(S3OnMinio, OneWinner) {
  one_winner();
}
TEST_F(S3OnMinio, RangesAndLists) {
  ranges_and_lists();
}
TEST_F(S3OnMinio, OddKeys) {
  odd_keys();
}
TEST_F(S3OnMinio, MoreThanAPage) {
  more_than_a_page();
}
TEST_F(S3OnMinio, Parts) {
  parts();
}
TEST_F(S3OnMinio, Refusals) {
  refusals();
}
TEST_F(S3OnRadosgw, Conditions) {
  conditions();
}
TEST_F(S3OnRadosgw, OneWinner) {
  one_winner();
}
TEST_F(S3OnRadosgw, RangesAndLists) {
  ranges_and_lists();
}
TEST_F(S3OnRadosgw, OddKeys) {
  odd_keys();
}
TEST_F(S3OnRadosgw, MoreThanAPage) {
  more_than_a_page();
}
TEST_F(S3OnRadosgw, Parts) {
  parts();
}
TEST_F(S3OnRadosgw, Refusals) {
  refusals();
}

}  // namespace
}  // namespace kist::net
