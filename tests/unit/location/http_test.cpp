// Web addresses, against nginx; and what goes wrong, against a server that fails as it is told.
#include "location/fixture.hpp"
#include "location/served.hpp"
#include "net/fault_server.hpp"
#include "net/md5.hpp"

namespace kist::location {
namespace {

class WebTest : public LocationTest {
 protected:
  static inline std::unique_ptr<Served> server;

  static void SetUpTestSuite() { server = Served::start({"location-server", "run", "web", "DIRECTORY"}); }
  static void TearDownTestSuite() { server.reset(); }

  void SetUp() override {
    LocationTest::SetUp();
    if (!server) GTEST_SKIP() << "nginx cannot be had here";
    secrets["web/user"] = (*server)["user"];
    secrets["web/password"] = (*server)["password"];
    write(files() / "open/hello.txt", "hello");
    write(files() / "private/hello.txt", "private");
    write(files() / "certified/hello.txt", "certified");
  }

  fs::path files() const { return (*server)["path"]; }
  model::Location at(const std::string& place_name, std::vector<std::pair<std::string, std::string>> more = {}) {
    more.insert(more.begin(), {"url", (*server)["url"] + place_name});
    return place("http", more);
  }
  std::vector<std::pair<std::string, std::string>> user() const {
    return {{"auth.basicAuth.usernameSecret", "secret:web/user"},
            {"auth.basicAuth.passwordSecret", "secret:web/password"}};
  }
};

TEST_F(WebTest, loads_and_follows_redirects) {
  ASSERT_OK(load(at("/open/hello.txt?token=x#part"), {}, target("a"), context));
  EXPECT_EQ(contents(target("a")), "hello");
  ASSERT_OK(load(at("/away/hello.txt"), {}, target("b"), context));
  EXPECT_EQ(contents(target("b")), "hello");
  EXPECT_FAILS(load(at("/around/"), {}, target("c"), context), ErrorKind::unavailable, "redirected");
  EXPECT_FAILS(load(at("/open/missing?secret=1"), {}, target("c"), context), ErrorKind::not_found, "/open/missing");
  EXPECT_FAILS(load(at("/open/hello.txt"), {.archive = kTar}, target("c"), context), ErrorKind::invalid, "hello.txt");
  EXPECT_FALSE(fs::exists(target("c")));
}

TEST_F(WebTest, shows_who_asks) {
  EXPECT_FAILS(load(at("/private/hello.txt"), {}, target("a"), context), ErrorKind::denied, "credentials");
  ASSERT_OK(load(at("/private/hello.txt", user()), {}, target("a"), context));
  EXPECT_EQ(contents(target("a")), "private");
  secrets["web/password"] = "wrong one";
  auto refused = load(at("/private/hello.txt", user()), {}, target("b"), context);
  EXPECT_FAILS(refused, ErrorKind::denied, "401");
  EXPECT_THAT(refused.error().text, Not(HasSubstr("wrong one")));
  secrets.erase("web/password");
  // Not as if the file were missing: that may be fine.
  EXPECT_FAILS(load(at("/private/hello.txt", user()), {}, target("b"), context), ErrorKind::denied, "web");
}

TEST_F(WebTest, checks_certificates) {
  auto secure = [&](const std::string& name, std::vector<std::pair<std::string, std::string>> more) {
    more.insert(more.begin(), {"url", (*server)["tls_url"] + name});
    return place("http", more);
  };
  secrets["tls/ca"] = contents((*server)["ca"]);
  secrets["tls/certificate"] = contents((*server)["certificate"]);
  secrets["tls/key"] = contents((*server)["key"]);
  EXPECT_FAILS(load(secure("/open/hello.txt", {}), {}, target("a"), context), ErrorKind::unavailable, "certificate");
  ASSERT_OK(load(secure("/open/hello.txt", {{"caSecret", "secret:tls/ca"}}), {}, target("a"), context));
  EXPECT_FAILS(load(secure("/certified/hello.txt", {{"caSecret", "secret:tls/ca"}}), {}, target("b"), context),
               ErrorKind::denied, "403");
  ASSERT_OK(load(secure("/certified/hello.txt", {{"caSecret", "secret:tls/ca"},
                                                 {"auth.clientCert.clientCertSecret", "secret:tls/certificate"},
                                                 {"auth.clientCert.clientKeySecret", "secret:tls/key"}}),
                 {}, target("b"), context));
  EXPECT_EQ(contents(target("b")), "certified");
}

TEST_F(WebTest, sends_archives_and_files_and_removes_them) {
  const fs::path source = make_directory();
  const Artifact made = artifact(source);
  ASSERT_OK(kist::location::save(at("/private/new/dir.tgz", user()), kTar, made, context));
  ASSERT_OK(load(at("/private/new/dir.tgz", user()), {}, target("a"), context));
  EXPECT_EQ(picture(target("a")), picture(source));
  EXPECT_FAILS(kist::location::save(at("/private/new/dir", user()), kNone, made, context), ErrorKind::invalid,
               "archived");
  EXPECT_FAILS(kist::location::save(at("/private/new/x"), kTar, made, context), ErrorKind::denied, "401");
  EXPECT_FAILS(list(at("/open/"), context), ErrorKind::unsupported, "listed");
  ASSERT_OK(kist::location::remove(at("/private/new/dir.tgz", user()), kTar, made, context));
  ASSERT_OK(kist::location::remove(at("/private/new/dir.tgz", user()), kTar, made, context));
  EXPECT_FALSE(fs::exists(files() / "private/new/dir.tgz"));
  EXPECT_TRUE(fs::is_empty(path("scratch")));
}

TEST_F(WebTest, artifactory_is_the_web_with_a_user) {
  write(path("work") / "file", "text");
  const auto at_artifactory = place("artifactory", {{"url", (*server)["url"] + "/private/file"},
                                                    {"usernameSecret", "secret:web/user"},
                                                    {"passwordSecret", "secret:web/password"}});
  ASSERT_OK(kist::location::save(at_artifactory, kNone, artifact(path("work") / "file"), context));
  ASSERT_OK(load(at_artifactory, {}, target("a"), context));
  EXPECT_EQ(contents(target("a")), "text");
}

TEST_F(WebTest, asks_where_the_settings_say_it_is) {
  const std::string authority = (*server)["url"].substr(7);
  context.endpoints = {{"*.example.com", "http://" + authority + "/open/"}, {"example.com", "http://127.0.0.1:1"}};
  ASSERT_OK(load(place("http", {{"url", "https://files.example.com/hello.txt"}}), {}, target("a"), context));
  EXPECT_EQ(contents(target("a")), "hello");
}

class FaultTest : public LocationTest {
 protected:
  net::FaultServer server;

  void SetUp() override {
    LocationTest::SetUp();
    server.open = true;
    write(path("work") / "file", text);
    ASSERT_OK(kist::location::save(web(), kNone, artifact(path("work") / "file"), context));
  }
  model::Location web() { return place("http", {{"url", server.endpoint() + "/bucket/file"}}); }
  model::Location s3(const std::string& key) {
    secrets["s3/key"] = "verysecret";
    return place("s3", {{"endpoint", server.endpoint()},
                        {"bucket", "bucket"},
                        {"key", key},
                        {"accessKeySecret", "secret:s3/key"},
                        {"secretKeySecret", "secret:s3/key"}});
  }

  const std::string text = noise(300'000, 7);
};

TEST_F(FaultTest, tries_again_what_may_pass_and_goes_on_where_it_broke) {
  for (const auto& location : {web(), s3("file")}) {
    server.fail({.method = "GET", .target_part = "file", .status = 500});
    server.fail({.method = "GET", .target_part = "file", .status = 503, .code = "SlowDown"});
    server.fail({.method = "GET", .target_part = "file", .cut_answer_at = 100'000});
    server.fail({.method = "GET", .target_part = "file", .hang = true});
    ASSERT_OK(load(location, {}, target(location.kind), context));
    EXPECT_EQ(contents(target(location.kind)), text);
    EXPECT_EQ(server.faults_left(), 0U);
    EXPECT_EQ(server.requests().back().header("range"), "bytes=100000-");
  }
}

TEST_F(FaultTest, gives_up_in_the_end_and_leaves_nothing) {
  for (const auto& location : {web(), s3("file")}) {
    for (int i = 0; i < 3000; ++i) server.fail({.method = "GET", .target_part = "file", .status = 503});
    context.retry.total = std::chrono::milliseconds(20);
    EXPECT_FAILS(load(location, {}, target("a"), context), ErrorKind::unavailable, "503");
    server.forgive();
  }
  EXPECT_FALSE(fs::exists(target("a")));
  EXPECT_TRUE(fs::is_empty(path("targets")));
}

TEST_F(FaultTest, notices_what_was_damaged) {
  server.fail({.method = "GET", .target_part = "file", .headers = {{"Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg=="}}});
  EXPECT_FAILS(load(web(), {}, target("a"), context), ErrorKind::corrupt, "not what the server says");
  // An ETag that is no digest of the content is believed where two readings agree.
  server.fail({.method = "GET", .target_part = "file", .headers = {{"ETag", "\"0123456789abcdef0123456789abcdef\""}}});
  ASSERT_OK(load(s3("file"), {}, target("b"), context));
  EXPECT_EQ(contents(target("b")), text);
}

TEST_F(FaultTest, believes_no_part_for_the_whole) {
  auto part = [&](const std::string& range, std::size_t from, std::size_t count) {
    server.fail({.method = "GET",
                 .target_part = "file",
                 .status = 206,
                 .body = text.substr(from, count),
                 .headers = {{"Content-Range", range}, {"ETag", "\"x\""}}});
  };
  part("bytes 0-9/300000", 0, 10);  // not asked for
  EXPECT_FAILS(load(web(), {}, target("a"), context), ErrorKind::unsupported, "another part");
  auto breaks = [&] {
    server.fail({.method = "GET", .target_part = "file", .headers = {{"ETag", "\"x\""}}, .cut_answer_at = 100'000});
  };
  breaks();
  part("bytes 100000-199999/300000", 100'000, 100'000);  // less than the rest, then that
  part("bytes 200000-299999/300000", 200'000, 100'000);
  ASSERT_OK(load(web(), {}, target("b"), context));
  EXPECT_EQ(contents(target("b")), text);
  breaks();
  part("bytes 100000-199999/300000", 100'000, 100'000);
  part("bytes 100000-199999/300000", 100'000, 100'000);  // nothing new
  EXPECT_FAILS(load(web(), {}, target("c"), context), ErrorKind::unavailable, "200000 of 300000 bytes");
}

// A digest that comes with a part is of that part: what counts is what came first.
TEST_F(FaultTest, compares_what_broke_on_its_way_with_the_whole) {
  const std::string whole = net::md5_base64(text);
  for (const std::string& digest : {whole, net::md5_base64("other")}) {
    server.fail({.method = "GET",
                 .target_part = "file",
                 .headers = {{"ETag", "\"x\""}, {"Content-MD5", digest}},
                 .cut_answer_at = 100'000});
    server.fail({.method = "GET",
                 .target_part = "file",
                 .headers = {{"ETag", "\"x\""}, {"Content-MD5", net::md5_base64(text.substr(100'000))}}});
    auto loaded = load(place("azure", {{"endpoint", server.endpoint()}, {"container", "bucket"}, {"blob", "file"}}), {},
                       target("azure"), context);
    if (digest == whole) {
      ASSERT_OK(loaded);
      EXPECT_EQ(server.requests().back().header("range"), "bytes=100000-");
      fs::remove(target("azure"));
    } else {
      EXPECT_FAILS(loaded, ErrorKind::corrupt, "not what the server says");
    }
  }
}

TEST_F(FaultTest, sends_google_what_it_did_not_keep) {
  const std::string large = noise(9 << 20, 3);
  write(path("work") / "large", large);
  context.endpoints = {{"elsewhere.example", server.endpoint()}};
  server.fail({.method = "POST",
               .target_part = "resumable",
               .status = 200,
               .headers = {{"Location", "https://elsewhere.example/session"}}});
  auto keeps = [&](const std::string& range) {
    server.fail({.method = "PUT", .target_part = "session", .status = 308, .headers = {{"Range", range}}});
  };
  keeps("bytes=0-262143");
  keeps("bytes=0-8388607");
  server.fail({.method = "PUT", .target_part = "session", .status = 200, .body = "{}"});
  ASSERT_OK(kist::location::save(place("gcs", {{"endpoint", server.endpoint()}, {"bucket", "b"}, {"key", "k"}}), kNone,
                                 artifact(path("work") / "large"), context));
  std::string arrived;
  for (const auto& request : server.requests()) {
    if (!request.target.contains("session")) continue;
    EXPECT_THAT(request.header("content-range"), testing::StartsWith(fmt::format("bytes {}-", arrived.size())));
    arrived += arrived.empty() ? request.body.substr(0, 262'144) : request.body;
  }
  EXPECT_TRUE(arrived == large);
}

TEST_F(FaultTest, can_be_cancelled_while_the_server_is_silent) {
  context.idle_timeout = std::chrono::seconds(60);
  for (const auto& location : {web(), s3("file")}) {
    server.fail({.method = "GET", .target_part = "file", .hang = true});
    int asked = 0;
    context.cancelled = [&] { return ++asked > 1; };
    EXPECT_FAILS(load(location, {}, target("a"), context), ErrorKind::unavailable, "cancelled");
  }
}

TEST_F(FaultTest, takes_back_what_it_began_when_it_is_cancelled) {
  context.idle_timeout = std::chrono::seconds(60);
  context.endpoints = {{"names:8020", server.endpoint()}};
  write(path("work") / "large", noise(9 << 20, 3));
  const Artifact large = artifact(path("work") / "large");
  server.fail({.method = "POST",
               .target_part = "resumable",
               .status = 200,
               .headers = {{"Location", server.endpoint() + "/session"}}});
  server.fail({.method = "GET", .target_part = "GETFILESTATUS", .status = 404});
  server.fail({.method = "PUT",
               .target_part = "op=CREATE",
               .status = 200,
               .body = R"({"Location":")" + server.endpoint() + R"(/data-node"})"});
  struct Case {
    model::Location to;
    std::string sent;     // hangs
    std::string removed;  // must be
  };
  const std::vector<Case> cases{
      {s3("large"), "partNumber", "uploadId"},
      {place("gcs", {{"endpoint", server.endpoint()}, {"bucket", "b"}, {"key", "k"}}), "session", "session"},
      {place("hdfs", {{"addresses", "names:8020"}, {"path", "/large"}, {"hdfsUser", "me"}}), "data-node", "op=DELETE"}};
  for (const Case& each : cases) {
    for (int i = 0; i < 4; ++i) server.fail({.method = "PUT", .target_part = each.sent, .hang = true});
    context.cancelled = [&] { return server.count("PUT", each.sent) > 0; };
    EXPECT_FAILS(kist::location::save(each.to, kNone, large, context), ErrorKind::unavailable, "cancelled");
    EXPECT_EQ(server.count("DELETE", each.removed), 1U) << each.to.kind;
  }
}

TEST_F(FaultTest, refuses_keys_that_lead_out) {
  write(path("work") / "evil", "evil");
  const Artifact evil = artifact(path("work") / "evil");
  ASSERT_OK(kist::location::save(s3("dir/../../../escaped"), kNone, evil, context));
  EXPECT_FAILS(load(s3("dir"), {}, target("a"), context), ErrorKind::invalid, "illegal file path");
  EXPECT_FALSE(fs::exists(path("escaped")));
  EXPECT_TRUE(fs::is_empty(path("targets")));
  ASSERT_OK(kist::location::save(s3("both/a"), kNone, evil, context));
  ASSERT_OK(kist::location::save(s3("both/a/b"), kNone, evil, context));
  EXPECT_FAILS(load(s3("both"), {}, target("a"), context), ErrorKind::conflict, "a");
}

}  // namespace
}  // namespace kist::location
