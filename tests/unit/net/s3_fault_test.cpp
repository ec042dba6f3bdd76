// What S3 does when it does not do what it should.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.hpp"
#include "net/fault_server.hpp"
#include "net/s3_objects.hpp"

namespace kist::net {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

struct S3FaultTest : testing::Test {
  FaultServer server;
  S3Settings settings = [&] {
    S3Settings made;
    made.bucket = "bucket";
    made.endpoint = server.endpoint();
    made.credentials = AwsCredentials{.access_key = "KEY", .secret_key = "verysecret", .session_token = "tokentoken"};
    made.retry = {.first = 1ms, .longest = 4ms, .total = 5'000ms, .unreached = 2};
    made.http.idle_timeout = 1s;
    made.multipart_from = 100'000;
    made.part_size = 50'000;
    made.parallel_parts = 3;
    return made;
  }();
  std::unique_ptr<S3Client> opened;

  S3Client& client() {
    if (!opened) opened = S3Client::make(settings).value();
    return *opened;
  }
  Result<S3Object> put(std::string_view key, std::string_view text, S3Condition condition = {}) {
    return client().put(key, text_body(text), {.condition = std::move(condition)});
  }
  std::string get(std::string_view key, std::uint64_t offset = 0, std::uint64_t length = UINT64_MAX) {
    std::string all;
    auto got = client().get(
        key,
        [&](std::span<const std::byte> bytes) -> Status {
          all.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          return {};
        },
        offset, length);
    return got ? all : got.error().text;
  }
  std::string stored(const std::string& key) { return server.objects()["/bucket/" + key]; }
  static S3Condition absent() { return {.kind = S3Condition::Kind::absent}; }
  static S3Condition matches(std::string etag) { return {.kind = S3Condition::Kind::matches, .etag = std::move(etag)}; }
  static std::string long_text(std::size_t size) {
    std::string text(size, ' ');
    for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * i % 23);
    return text;
  }
};

TEST_F(S3FaultTest, TriesAgainWhatTheServerCouldNotDoForAWhile) {
  for (const int status : {500, 502, 503, 504, 429})
    server.fail({.method = "PUT", .status = status, .code = "SlowDown"});
  ASSERT_TRUE(put("a", "text"));
  EXPECT_EQ(stored("a"), "text");
  EXPECT_EQ(server.count("PUT", "/bucket/a"), 6U);
}

TEST_F(S3FaultTest, GivesUpInTheEndAndSaysWhat) {
  settings.retry.total = 20ms;
  for (int i = 0; i < 100; ++i) server.fail({.method = "PUT", .status = 503, .code = "SlowDown"});
  const auto done = put("a", "text");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::unavailable);
  EXPECT_THAT(done.error().text, HasSubstr("s3://bucket/a"));
  EXPECT_THAT(done.error().text, HasSubstr("SlowDown"));
}

TEST_F(S3FaultTest, WaitsAsLongAsItIsAskedTo) {
  settings.retry.total = 500ms;
  server.fail({.method = "PUT", .status = 503, .headers = {{"Retry-After", "100"}}});
  const auto done = put("a", "text");  // a hundred seconds are more than it may wait
  ASSERT_FALSE(done);
  EXPECT_EQ(server.count("PUT", "/bucket/a"), 1U);
}

TEST_F(S3FaultTest, ABodyCutOffIsTakenUpWhereItBroke) {
  const std::string text = long_text(90'000);
  ASSERT_TRUE(put("a", text));
  server.fail({.method = "GET", .cut_answer_at = 30'000});
  server.fail({.method = "GET", .cut_answer_at = 10});
  server.fail({.method = "GET", .status = 500});
  EXPECT_EQ(get("a"), text);
  EXPECT_EQ(server.requests().back().header("range"), "bytes=30010-");
  server.fail({.method = "GET", .cut_answer_at = 1'000});
  EXPECT_EQ(get("a", 50'000, 20'000), text.substr(50'000, 20'000));
  EXPECT_EQ(server.requests().back().header("range"), "bytes=51000-69999");
}

TEST_F(S3FaultTest, AnObjectReplacedWhileItIsReadIsNotMixed) {
  ASSERT_TRUE(put("a", long_text(50'000)));
  std::string all;
  bool replaced = false;
  server.fail({.method = "GET", .cut_answer_at = 20'000});
  auto got = client().get("a", [&](std::span<const std::byte>) -> Status {
    if (!std::exchange(replaced, true)) (void)put("a", std::string(50'000, 'x'));
    return {};
  });
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, ErrorKind::conflict);
}

TEST_F(S3FaultTest, AnEmptyOrMissingRangeIsNothing) {
  ASSERT_TRUE(put("empty", ""));
  EXPECT_EQ(get("empty"), "");
  ASSERT_TRUE(put("a", "text"));
  EXPECT_EQ(get("a", 4), "");
  EXPECT_EQ(get("a", 2, 1), "x");
  EXPECT_THAT(get("none"), HasSubstr("there is no s3://bucket/none"));
}

TEST_F(S3FaultTest, AResetInTheMiddleOfAPartRepeatsThisPartOnly) {
  const std::string text = long_text(230'000);
  server.fail({.method = "PUT", .target_part = "partNumber=2", .reset_after_body = 20'000});
  server.fail({.method = "PUT", .target_part = "partNumber=4", .status = 500});
  ASSERT_TRUE(put("big", text));
  EXPECT_EQ(stored("big"), text);
  EXPECT_EQ(server.count("PUT", "partNumber="), 7U);
  EXPECT_EQ(server.faults_left(), 0U);
}

TEST_F(S3FaultTest, AnUploadThatWasBrokenOffIsGoneOnWith) {
  const std::string text = long_text(230'000);
  settings.parallel_parts = 1;
  settings.retry.total = 10ms;
  for (int i = 0; i < 100; ++i) server.fail({.method = "PUT", .target_part = "partNumber=4", .status = 500});
  ASSERT_FALSE(put("big", text));
  server.forgive();
  opened.reset();
  const auto before = server.count("PUT", "/bucket/big?partNumber=");
  ASSERT_TRUE(put("big", text, absent()));
  EXPECT_EQ(stored("big"), text);
  EXPECT_EQ(server.count("PUT", "/bucket/big?partNumber=") - before, 2U);  // parts 4 and 5
  EXPECT_EQ(server.count("POST", "?uploads="), 1U);
}

TEST_F(S3FaultTest, PartsOfAnotherBodyAreNotTaken) {
  settings.parallel_parts = 1;
  settings.retry.total = 10ms;
  for (int i = 0; i < 100; ++i) server.fail({.method = "PUT", .target_part = "partNumber=3", .status = 500});
  ASSERT_FALSE(put("big", long_text(230'000)));
  server.forgive();
  opened.reset();
  const std::string other = std::string(100'000, 'o') + long_text(130'000);
  ASSERT_TRUE(put("big", other));
  EXPECT_EQ(stored("big"), other);
}

TEST_F(S3FaultTest, ALargeObjectWhoseLastAnswerWasLostIsThere) {
  const std::string text = long_text(230'000);
  settings.credentials->session_token.clear();
  server.fail({.method = "POST", .target_part = "uploadId", .lose_answer = true});
  // Its upload is gone when it is asked again; the stub's ETag is none of a multipart upload, so it is sent anew.
  ASSERT_TRUE(put("big", text));
  EXPECT_EQ(stored("big"), text);
}

TEST_F(S3FaultTest, ADamagedBodyIsNotedAndSentAgain) {
  server.fail({.method = "PUT", .status = 400, .code = "XAmzContentSHA256Mismatch"});
  server.fail({.method = "PUT", .status = 400, .code = "BadDigest"});
  ASSERT_TRUE(put("a", "text"));
  for (int i = 0; i < 10; ++i) server.fail({.method = "PUT", .status = 400, .code = "BadDigest"});
  const auto done = put("b", "text");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::corrupt);
}

TEST_F(S3FaultTest, AWrongETagIsFoundOut) {
  server.fail({.method = "PUT", .store_damaged = true});
  const auto done = put("a", "text");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::corrupt);
}

TEST_F(S3FaultTest, ETagsOfAServersOwnKindAreAccepted) {
  server.own_etags = true;
  ASSERT_TRUE(put("a", "text"));
  const auto gets = server.count("GET", "/bucket/");
  ASSERT_TRUE(put("b", "text"));
  EXPECT_EQ(server.count("GET", "/bucket/"), gets);  // looked at once
}

TEST_F(S3FaultTest, LearnsTheServersClock) {
  server.clock_offset = -7'200;
  ASSERT_TRUE(put("a", "text"));
  ASSERT_TRUE(put("b", "text"));
  EXPECT_EQ(server.count("PUT", "/bucket/"), 3U);  // refused once
}

TEST_F(S3FaultTest, LearnsTheBucketsRegion) {
  server.region = "eu-central-1";
  ASSERT_TRUE(put("a", "text"));
  ASSERT_TRUE(put("b", "text"));
  EXPECT_EQ(server.count("PUT", "/bucket/"), 3U);
}

TEST_F(S3FaultTest, AServerThatHangsIsLeft) {
  server.fail({.method = "GET", .hang = true});
  ASSERT_TRUE(put("a", "text"));
  EXPECT_EQ(get("a"), "text");
  EXPECT_EQ(server.count("GET", "/bucket/a"), 2U);
}

TEST_F(S3FaultTest, APutWhoseAnswerWasLostIsNotTakenForSomebodyElses) {
  server.fail({.method = "PUT", .lose_answer = true});
  ASSERT_TRUE(put("ref", "mine", absent()));
  const auto etag = client().head("ref").value().etag;
  server.fail({.method = "PUT", .lose_answer = true});
  ASSERT_TRUE(put("ref", "next", matches(etag)));
  EXPECT_EQ(stored("ref"), "next");
}

TEST_F(S3FaultTest, ALostAnswerHidesNoConflict) {
  ASSERT_TRUE(put("ref", "theirs"));
  server.fail({.method = "PUT", .lose_answer = true});
  const auto done = put("ref", "mine", absent());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::conflict);
  EXPECT_EQ(stored("ref"), "theirs");
}

TEST_F(S3FaultTest, ConditionsHoldInEitherFormOfAnETag) {
  for (const bool unquoted_wanted : {false, true}) {
    server.wants_unquoted_etags = unquoted_wanted;
    opened.reset();
    const auto first = put("ref", unquoted_wanted ? "1" : "one");
    ASSERT_TRUE(first);
    const auto second = put("ref", "two", matches(first->etag));
    ASSERT_TRUE(second);
    const auto late = put("ref", "three", matches(first->etag));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, ErrorKind::conflict);
    EXPECT_EQ(stored("ref"), "two");
  }
}

TEST_F(S3FaultTest, AServerThatIgnoresConditionsIsFoundOut) {
  auto obeys = [&] { return open_s3_objects("some/prefix", settings).value()->obeys_conditions(); };
  EXPECT_EQ(obeys().value(), true);
  server.ignores_conditions = true;
  EXPECT_EQ(obeys().value(), false);
  EXPECT_TRUE(server.objects().empty());  // the probes are gone
}

TEST_F(S3FaultTest, AMissingBucketIsNoMissingObject) {
  server.fail({.method = "HEAD", .status = 404});
  server.fail({.method = "GET", .status = 404, .code = "NoSuchBucket"});
  const auto done = client().head("a");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::invalid);
  EXPECT_THAT(done.error().text, HasSubstr("no bucket 'bucket'"));
}

TEST_F(S3FaultTest, RefusalsAreSaidWithoutSecrets) {
  server.fail({.method = "PUT", .status = 403, .code = "SignatureDoesNotMatch"});
  const auto done = put("a", "text");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::denied);
  EXPECT_THAT(done.error().text, HasSubstr("check the access key"));
  EXPECT_THAT(done.error().text, Not(HasSubstr("verysecret")));
  EXPECT_THAT(done.error().text, Not(HasSubstr("tokentoken")));
  for (const auto& request : server.requests()) {
    EXPECT_EQ(request.header("x-amz-security-token"), "tokentoken");
    EXPECT_THAT(request.header("authorization"), HasSubstr("x-amz-security-token"));
  }
}

TEST_F(S3FaultTest, NobodyThereIsSaidSoon) {
  settings.endpoint = "http://127.0.0.1:9";
  const auto done = put("a", "text");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, ErrorKind::unavailable);
  EXPECT_THAT(done.error().text, HasSubstr("http://127.0.0.1:9"));
}

TEST_F(S3FaultTest, FilesAreSentByPieces) {
  FileDescriptor file(::memfd_create("body", MFD_CLOEXEC));
  const std::string text = long_text(300'000);
  ASSERT_TRUE(write_all(file.get(), text, "body"));
  std::atomic<std::uint64_t> moved{0};
  const Body body{.bytes = {}, .file = file.get(), .offset = 1'000, .size = 250'000};
  ASSERT_TRUE(client().put("file", body, {.moved = [&](std::uint64_t bytes) { moved += bytes; }}));
  EXPECT_EQ(stored("file"), text.substr(1'000, 250'000));
  EXPECT_EQ(moved.load(), 250'000U);
  const Body too_long{.bytes = {}, .file = file.get(), .offset = 250'000, .size = 60'000};
  const auto cut = client().put("file", too_long);
  ASSERT_FALSE(cut);
  EXPECT_THAT(cut.error().text, HasSubstr("shorter than it was"));
}

TEST_F(S3FaultTest, KeysAreSentAsTheyAre) {
  for (const std::string key : {"a b+c%2F", "ä/ü", "a/../b//c", "=&?#*'()!~"}) {
    ASSERT_TRUE(put(key, key));
    EXPECT_EQ(get(key), key);
  }
  EXPECT_EQ(server.objects().count("/bucket/a/../b//c"), 1U);
}

TEST_F(S3FaultTest, ABucketInTheHostName) {
  settings.addressing = S3Settings::Addressing::virtual_host;
  settings.endpoint = "http://localhost" + server.endpoint().substr(server.endpoint().rfind(':'));
  ASSERT_TRUE(put("a", "text"));
  EXPECT_EQ(server.requests().front().target, "/a");
  EXPECT_THAT(server.requests().front().header("host"), HasSubstr("bucket.localhost:"));
}

}  // namespace
}  // namespace kist::net
