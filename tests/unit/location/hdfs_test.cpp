// Hadoop's file system: a real one, and what goes wrong with a name node, against a server that fails as it is told.
#include "location/fixture.hpp"
#include "location/served.hpp"
#include "net/fault_server.hpp"

namespace kist::location {
namespace {

class HdfsTest : public LocationTest {
 protected:
  static inline std::unique_ptr<Served> server;

  static void SetUpTestSuite() { server = Served::start({"location-server", "run", "hdfs", "DIRECTORY"}); }
  static void TearDownTestSuite() { server.reset(); }

  void SetUp() override {
    LocationTest::SetUp();
    if (!server) GTEST_SKIP() << "Hadoop cannot be had here: see scripts/location-server";
    context.idle_timeout = std::chrono::seconds(30);
    context.endpoints = {{(*server)["address"], (*server)["url"]}};
  }

  model::Location at(const std::string& name, std::vector<std::pair<std::string, std::string>> more = {}) {
    const std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    more.insert(more.begin(), {{"addresses", (*server)["address"]}, {"path", "/open/" + test + "/" + name}});
    if (std::ranges::find(more, "hdfsUser", &std::pair<std::string, std::string>::first) == more.end())
      more.emplace_back("hdfsUser", "tester");
    return place("hdfs", more);
  }
  Artifact file(const std::string& content) {
    write(path("work") / "file", content);
    return artifact(path("work") / "file");
  }
};

TEST_F(HdfsTest, keeps_a_directory_and_brings_it_back) {
  const fs::path source = make_directory();
  fs::permissions(source / "nothing", fs::perms(0664));  // beyond the usual umask
  ASSERT_OK(kist::location::save(at("dir"), kNone, artifact(source), context));
  EXPECT_THAT(notices, ElementsAre(HasSubstr("inner/link")));
  ASSERT_OK(load(at("dir"), {}, target("dir"), context));
  fs::remove(source / "inner/link");
  EXPECT_EQ(picture(target("dir"), false), picture(source, false));

  auto files = list(at("dir"), context);
  ASSERT_OK(files);
  std::vector<std::string> ends;
  for (const std::string& each : *files) ends.push_back(each.substr(each.find("/dir") + 5));
  EXPECT_THAT(ends, ElementsAre("file.json", "inner.txt", "inner/deep/a b+c%d&é.txt", "large", "nothing", "run.sh"));
  EXPECT_THAT(list(at("missing"), context).value(), testing::IsEmpty());
  EXPECT_TRUE(fs::is_empty(path("scratch")));
}

TEST_F(HdfsTest, removes_what_an_artifact_sent_and_nothing_else) {
  const Artifact made = artifact(make_directory());
  ASSERT_OK(kist::location::save(at("dir"), kNone, made, context));
  ASSERT_OK(kist::location::save(at("dir/inner/other"), kNone, file("stays"), context));
  ASSERT_OK(kist::location::save(at("dir.tgz"), kTar, made, context));
  ASSERT_OK(kist::location::remove(at("dir"), kNone, made, context));
  ASSERT_OK(kist::location::remove(at("dir.tgz"), kTar, made, context));
  EXPECT_THAT(list(at(""), context).value(), ElementsAre(HasSubstr("dir/inner/other")));
  ASSERT_OK(kist::location::remove(at("dir"), kNone, made, context));  // once more is fine
}

TEST_F(HdfsTest, streams_archives_and_unpacks_them) {
  const fs::path source = make_directory();
  ASSERT_OK(kist::location::save(at("new/a"), kTar, artifact(source), context));
  ASSERT_OK(load(at("new/a"), {}, target("a"), context));
  EXPECT_EQ(picture(target("a")), picture(source));
  EXPECT_FAILS(load(at("new/a"), {.archive = kZip}, target("wrong"), context), ErrorKind::invalid, "zip");
  EXPECT_FALSE(fs::exists(target("wrong")));
}

TEST_F(HdfsTest, replaces_a_file_only_by_force) {
  ASSERT_OK(kist::location::save(at("file"), kNone, file("one"), context));
  EXPECT_FAILS(kist::location::save(at("file"), kNone, file("two"), context), ErrorKind::conflict, "force");
  EXPECT_FAILS(kist::location::save(at("file/below"), kNone, file("two"), context), ErrorKind::denied, "file");
  ASSERT_OK(kist::location::save(at("file", {{"force", "true"}}), kNone, file("three"), context));
  ASSERT_OK(load(at("file"), {}, target("file"), context));
  EXPECT_EQ(contents(target("file")), "three");
  EXPECT_THAT(list(at(""), context).value(), ElementsAre(HasSubstr("/file")));  // nothing half done
}

TEST_F(HdfsTest, says_what_is_wrong) {
  EXPECT_FAILS(load(at("missing"), {}, target("x"), context), ErrorKind::not_found, "missing");
  const auto elsewhere = place("hdfs", {{"addresses", (*server)["address"]}, {"path", "/x"}, {"hdfsUser", "tester"}});
  EXPECT_FAILS(kist::location::save(elsewhere, kNone, file("text"), context), ErrorKind::denied, "tester");
  EXPECT_FAILS(load(at("x", {{"krbKeytabSecret", "secret:a/b"}}), {}, target("x"), context), ErrorKind::unsupported,
               "Kerberos");
  EXPECT_FAILS(load(at("x", {{"dataTransferProtection", "privacy"}}), {}, target("x"), context), ErrorKind::unsupported,
               "https");
  // Hadoop's own protocol, where the web is expected.
  context.endpoints = {{(*server)["address"], "http://" + (*server)["address"]}};
  EXPECT_FAILS(load(at("x"), {}, target("x"), context), ErrorKind::not_found, "HTTP status 404");
}

TEST_F(HdfsTest, finds_the_name_node_that_is_active) {
  net::FaultServer other;
  context.endpoints["dead:8020"] = "http://127.0.0.1:1";
  context.endpoints["standby:8020"] = other.endpoint();
  const std::string standby = R"({"RemoteException":{"exception":"StandbyException","message":"not me"}})";
  const std::string starting = R"({"RemoteException":{"exception":"SafeModeException","message":"not yet"}})";
  for (int i = 0; i < 3000; ++i) other.fail({.target_part = "webhdfs", .status = 403, .body = standby});
  context.retry.total = std::chrono::milliseconds(300);
  auto both = place("hdfs", {{"addresses", "dead:8020"}, {"addresses", "standby:8020"}, {"hdfsUser", "tester"}});
  both.set("path", model::Text::literal("/open/active"));
  EXPECT_FAILS(load(both, {}, target("x"), context), ErrorKind::unavailable, "not me");
  other.forgive();
  both.fields.insert(both.fields.begin() + 2, {"addresses", model::Text::literal((*server)["address"])});
  other.fail({.target_part = "webhdfs", .status = 403, .body = starting});
  for (int i = 0; i < 50; ++i) other.fail({.target_part = "webhdfs", .status = 403, .body = standby});
  ASSERT_OK(kist::location::save(both, kNone, file("text"), context));
  ASSERT_OK(load(both, {}, target("file"), context));
  EXPECT_EQ(contents(target("file")), "text");
}

// Answers of a name node that cannot be trusted.
TEST_F(HdfsTest, believes_nothing_that_leads_out_or_in_circles) {
  net::FaultServer other;
  const auto there = place("hdfs", {{"addresses", "bad:8020"}, {"path", "/dir"}, {"hdfsUser", "tester"}});
  context.endpoints = {{"bad:8020", other.endpoint()}};
  auto answers = [&](const std::string& status_type, const std::string& listing) {
    other.forgive();
    other.fail(
        {.target_part = "GETFILESTATUS",
         .status = 200,
         .body = R"({"FileStatus":{"pathSuffix":"","length":5,"permission":"755","type":")" + status_type + "\"}}"});
    for (int i = 0; i < 9000; ++i)
      other.fail({.target_part = "LISTSTATUS_BATCH",
                  .status = 200,
                  .body = R"({"DirectoryListing":{"partialListing":{"FileStatuses":{"FileStatus":[)" + listing});
  };
  auto entry = [](const std::string& name, const std::string& type) {
    return R"({"permission":"644","length":5,"pathSuffix":")" + name + R"(","type":")" + type + "\"}";
  };
  for (const char* name : {"..", "../out", "/etc/x", "a/b", "a\\u0000b"}) {
    answers("DIRECTORY", entry(name, "FILE") + "]}},\"remainingEntries\":0}}");
    EXPECT_FAILS(load(there, {}, target("x"), context), ErrorKind::invalid, "illegal file path");
  }
  answers("DIRECTORY", entry("same", "DIRECTORY") + "]}},\"remainingEntries\":0}}");
  EXPECT_FAILS(list(there, context), ErrorKind::unavailable, "do not come to an end");
  answers("DIRECTORY", entry("same", "SYMLINK") + "]}},\"remainingEntries\":7}}");
  EXPECT_FAILS(list(there, context), ErrorKind::unavailable, "does not come to an end");
  answers("DIRECTORY", "3]}}}}");
  EXPECT_FAILS(list(there, context), ErrorKind::unavailable, "status");
  answers("FILE", "");
  for (const char* body : {"{}", "[]", "nonsense", R"({"Location":"file:///etc/passwd"})"}) {
    answers("FILE", "");
    other.fail({.target_part = "OPEN", .status = 200, .body = body});
    EXPECT_FALSE(load(there, {}, target("x"), context)) << body;
  }
  for (const char* body : {"1234", "123456"}) {  // instead of 5 bytes
    answers("FILE", "");
    other.fail({.target_part = "OPEN", .status = 200, .body = R"({"Location":")" + other.endpoint() + R"(/data"})"});
    other.fail({.target_part = "/data", .status = 200, .body = body});
    EXPECT_FAILS(load(there, {}, target("x"), context), ErrorKind::corrupt, "of 5 bytes");
  }
  EXPECT_TRUE(fs::is_empty(path("targets")));
}

}  // namespace
}  // namespace kist::location
