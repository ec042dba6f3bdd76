// What every kind of bucket promises, against real servers. Skipped, saying so, where a server cannot be had.
#include <functional>

#include "location/fixture.hpp"
#include "location/served.hpp"

namespace kist::location {
namespace {

// A kind of server, and how a key in it is written.
struct BucketKind {
  std::string name;
  std::vector<std::string> words;
  std::function<std::vector<std::pair<std::string, std::string>>(const Served&, const std::string& key)> fields;
  std::string kind;
  // What must be there before, of those that do not make a bucket by themselves.
  std::function<void(const Served&)> prepare = {};
};

std::vector<std::pair<std::string, std::string>> s3_fields(const Served& server, const std::string& key) {
  return {{"endpoint", server["endpoint"]},
          {"bucket", "bucket"},
          {"key", key},
          {"accessKeySecret", "secret:s3/access"},
          {"secretKeySecret", "secret:s3/secret"},
          {"createBucketIfNotPresent", "true"}};
}

const std::vector<BucketKind>& kinds() {
  static const std::vector<BucketKind> all{
      {"minio", {"s3-server", "run", "DIRECTORY"}, &s3_fields, "s3"},
      {"azurite",
       {"location-server", "run", "azure", "DIRECTORY"},
       [](const Served& server, const std::string& key) {
         return std::vector<std::pair<std::string, std::string>>{{"endpoint", server["endpoint"]},
                                                                 {"container", "bucket"},
                                                                 {"blob", key},
                                                                 {"accountKeySecret", "secret:azure/key"}};
       },
       "azure"},
      {"gcs",
       {"location-server", "run", "gcs", "DIRECTORY"},
       [](const Served& server, const std::string& key) {
         return std::vector<std::pair<std::string, std::string>>{
             {"endpoint", server["endpoint"]}, {"bucket", "bucket"}, {"key", key}};
       },
       "gcs"},
      {"radosgw", {"s3-server", "run", "DIRECTORY", "--kind", "radosgw"}, &s3_fields, "s3"},
  };
  return all;
}

class BucketTest : public LocationTest, public testing::WithParamInterface<std::size_t> {
 protected:
  static inline std::map<std::string, std::unique_ptr<Served>> servers;

  static void TearDownTestSuite() { servers.clear(); }

  void SetUp() override {
    LocationTest::SetUp();
    context.idle_timeout = std::chrono::seconds(30);
    const BucketKind& kind = kinds()[GetParam()];
    if (!servers.contains(kind.name)) {
      servers[kind.name] = Served::start(kind.words);
      if (servers[kind.name] && kind.prepare) kind.prepare(*servers[kind.name]);
    }
    server = servers[kind.name].get();
    if (server == nullptr) GTEST_SKIP() << kind.name << " cannot be had here: see scripts/" << kind.words.front();
    if (kind.kind == "s3") {
      secrets["s3/access"] = (*server)["access_key"];
      secrets["s3/secret"] = (*server)["secret_key"];
    }
    if (kind.kind == "azure") secrets["azure/key"] = (*server)["key"];
  }

  model::Location at(const std::string& key) {
    const BucketKind& kind = kinds()[GetParam()];
    std::string test = testing::UnitTest::GetInstance()->current_test_info()->name();
    return place(kind.kind, kind.fields(*server, test.substr(0, test.find('/')) + "/" + key));
  }

  const Served* server = nullptr;
};

TEST_P(BucketTest, keeps_a_directory_as_objects_and_brings_it_back) {
  const fs::path source = make_directory();
  fs::create_symlink("/etc/passwd", source / "leads-out");
  const Artifact made = artifact(source);
  ASSERT_OK(kist::location::save(at("dir"), kNone, made, context));
  EXPECT_THAT(notices, ElementsAre(HasSubstr("leads-out")));
  ASSERT_OK(load(at("dir"), {}, target("dir"), context));
  fs::remove(source / "leads-out");
  EXPECT_EQ(picture(target("dir"), false), picture(source, false));

  auto keys = list(at("dir"), context);
  ASSERT_OK(keys);
  std::vector<std::string> ends;
  for (const std::string& key : *keys) ends.push_back(key.substr(key.find("/dir") + 5));
  EXPECT_THAT(ends, ElementsAre("empty/too/", "file.json", "inner.txt", "inner/deep/a b+c%d&é.txt", "inner/link",
                                "large", "nothing", "run.sh"));
}

TEST_P(BucketTest, removes_what_an_artifact_sent_and_nothing_else) {
  const Artifact made = artifact(make_directory());
  write(path("work") / "other", "stays");
  const Artifact other = artifact(path("work") / "other");
  ASSERT_OK(kist::location::save(at("dir"), kNone, made, context));
  ASSERT_OK(kist::location::save(at("dir/inner/other"), kNone, other, context));
  ASSERT_OK(kist::location::save(at("dir.tgz"), kTar, made, context));
  ASSERT_OK(kist::location::remove(at("dir"), kNone, made, context));
  ASSERT_OK(kist::location::remove(at("dir.tgz"), kTar, made, context));
  auto keys = list(at(""), context);
  ASSERT_OK(keys);
  EXPECT_THAT(*keys, ElementsAre(HasSubstr("dir/inner/other")));
  ASSERT_OK(kist::location::remove(at("dir"), kNone, made, context));  // once more is fine
}

TEST_P(BucketTest, keeps_a_file_as_it_is) {
  write(path("work") / "data.csv", noise(3 << 20, 2));
  fs::permissions(path("work") / "data.csv", fs::perms(0600));
  ASSERT_OK(kist::location::save(at("data.csv"), kNone, artifact(path("work") / "data.csv"), context));
  ASSERT_OK(load(at("data.csv"), {}, target("data"), context));
  EXPECT_EQ(picture(target("data"), false), picture(path("work") / "data.csv", false));

  const std::string borders = "\r\n--kist-boundary-5f2c9a7d41e8b603--\r\nafter what ends a form";
  write(path("work") / "borders", borders);
  ASSERT_OK(kist::location::save(at("borders"), kNone, artifact(path("work") / "borders"), context));
  ASSERT_OK(load(at("borders"), {}, target("borders"), context));
  EXPECT_EQ(contents(target("borders")), borders);
}

TEST_P(BucketTest, streams_archives_and_unpacks_them) {
  const fs::path source = make_directory();
  ASSERT_OK(kist::location::save(at("a"), kTar, artifact(source), context));
  ASSERT_OK(load(at("a"), {}, target("a"), context));
  EXPECT_EQ(picture(target("a")), picture(source));
  ASSERT_OK(load(at("a"), {.archive = kNone}, target("packed"), context));
  EXPECT_TRUE(fs::is_regular_file(target("packed")));
  EXPECT_FAILS(load(at("a"), {.archive = kZip}, target("wrong"), context), ErrorKind::invalid, "zip");
  EXPECT_FALSE(fs::exists(target("wrong")));

  ASSERT_OK(kist::location::save(at("z"), kZip, artifact(source), context));
  ASSERT_OK(load(at("z"), {.archive = kZip}, target("z"), context));
  EXPECT_EQ(picture(target("z"), false), picture(source, false));
  ASSERT_OK(load(at("z"), {}, target("still-zip"), context));
  EXPECT_TRUE(fs::is_regular_file(target("still-zip")));
  EXPECT_TRUE(fs::is_empty(path("scratch")));
}

TEST_P(BucketTest, says_what_is_not_there) {
  EXPECT_FAILS(load(at("missing"), {}, target("x"), context), ErrorKind::not_found, "missing");
  EXPECT_FALSE(fs::exists(target("x")));
  write(path("work") / "file", "text");
  ASSERT_OK(kist::location::save(at("file"), kNone, artifact(path("work") / "file"), context));
  EXPECT_FAILS(load(at("fil"), {}, target("x"), context), ErrorKind::not_found, "fil");
  EXPECT_FAILS(load(at("file"), {.archive = kTar}, target("x"), context), ErrorKind::invalid, "file");
}

INSTANTIATE_TEST_SUITE_P(, BucketTest, testing::Range<std::size_t>(0, kinds().size()),
                         [](const auto& each) { return kinds()[each.param].name; });

}  // namespace
}  // namespace kist::location
