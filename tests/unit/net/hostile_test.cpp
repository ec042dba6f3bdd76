// Servers that answer what no server should.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/fault_server.hpp"
#include "net/kist_objects.hpp"
#include "net/retry.hpp"
#include "net/s3_objects.hpp"

namespace kist::net {
namespace {

using testing::ElementsAre;

std::vector<std::string> names_in(ObjectStore& store, Status& listed) {
  std::vector<std::string> names;
  listed = store.list("", [&](const ObjectInfo& info) {
    names.push_back(info.name);
    return names.size() < 100;
  });
  return names;
}

TEST(Hostile, a_listing_of_others_keys_and_without_an_end) {
  FaultServer server;
  const std::string page =
      "<ListBucketResult><Contents><Key>x</Key></Contents><Contents><Key>prefix/mine</Key></Contents>"
      "<IsTruncated>true</IsTruncated><NextContinuationToken>on</NextContinuationToken></ListBucketResult>";
  for (int i = 0; i < 200; ++i) server.fail({.target_part = "list-type", .status = 200, .body = page});
  S3Settings settings;
  settings.bucket = "bucket";
  settings.endpoint = server.endpoint();
  const auto store = open_s3_objects("prefix", settings).value();
  Status listed;
  EXPECT_THAT(names_in(*store, listed), ElementsAre("mine", "mine"));
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().kind, ErrorKind::unavailable);
}

TEST(Hostile, values_of_other_types) {
  FaultServer server;
  const auto store = open_kist_objects(server.endpoint(), {}).value();
  server.fail({.status = 200, .body = R"({"objects":[{"name":"a","size":"much","version":7}],"more":"yes"})"});
  Status listed;
  EXPECT_THAT(names_in(*store, listed), ElementsAre("a"));
  EXPECT_TRUE(listed);
  server.fail({.status = 403, .body = R"({"error":{"message":[]}})"});
  (void)names_in(*store, listed);
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().kind, ErrorKind::denied);
}

TEST(Hostile, a_clock_beyond_all_times) {
  HttpAnswer answer;
  answer.headers = {{"date", "Sun, 22 Nov 2026 08:00:00 GMT"}};
  EXPECT_EQ(to_rfc3339(answer.date().value()), "2026-11-22T08:00:00Z");
  answer.headers = {{"date", "Sun, 01 Jan 3090 00:00:00 GMT"}};
  EXPECT_FALSE(answer.date());
}

TEST(Hostile, to_come_back_in_a_billion_years) {
  for (const std::int64_t seconds : {std::int64_t{10'000'000'000}, INT64_MAX})
    EXPECT_FALSE(Retry({}).again(true, std::chrono::seconds(seconds)));
}

}  // namespace
}  // namespace kist::net
