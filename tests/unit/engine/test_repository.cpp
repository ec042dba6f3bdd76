// The default repository and what runs sent to other places, with a real store and catalog.
#include <cstring>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/engine.hpp"
#include "engine/repository.hpp"
#include "engine/roots.hpp"
#include "store/fixture.hpp"

namespace kist::engine {
namespace {

namespace fs = std::filesystem;

using store::contents;
using store::picture;
using store::write;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RepositoryTest : public store::StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    home_.emplace(catalog::Home::open(path("home")).value());
    catalog_ = catalog::Catalog::open(*home_).value();
    fs::create_directories(path("work/dir/inner"));
    write(path("work/dir/a.txt"), "a");
    write(path("work/dir/inner/b.txt"), "b");
    write(path("work/file"), "file");
  }

  Parts parts() {
    return {.home = *home_,
            .catalog = *catalog_,
            .store = *store_,
            .dialects = dialects_,
            .clock = [] { return now(); },
            .random = [](std::uint32_t) { return 0; },
            .outside =
                [] {
                  location::Context context;
                  context.connect_timeout = std::chrono::milliseconds(500);
                  context.retry.total = std::chrono::milliseconds(1);
                  return context;
                }};
  }
  void put(std::string_view key, std::string_view source) {
    auto done = put_under_key(parts(), key, path("work") / source);
    ASSERT_TRUE(done) << done.error().text;
  }
  // What lies under a key, restored.
  std::map<std::string, std::string> at(std::string_view key) {
    auto found = find_key(parts(), key);
    EXPECT_TRUE(found) << found.error().text;
    if (!found) return {};
    const fs::path target = path("work") / fmt::format("restored-{}", ++restored_);
    auto restored = store_->restore({.tree = found->tree, .times = found->times}, "", target);
    EXPECT_TRUE(restored) << restored.error().text;
    if (fs::is_regular_file(target)) return {{"", contents(target)}};
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::recursive_directory_iterator(target))
      if (entry.is_regular_file()) files[entry.path().lexically_relative(target)] = contents(entry.path());
    return files;
  }
  using Files = std::map<std::string, std::string>;

  // A finished run with one artifact, sent somewhere.
  std::string run_that_sent(std::vector<model::SentArtifact> sent) {
    auto saved = save(path("work/file"));
    model::RunRecord run;
    run.state = model::State::succeeded;
    auto name = catalog_->create_run(run, {.kind = model::RunNaming::Kind::given, .stem = "run"},
                                     [](std::uint32_t) { return 0; });
    EXPECT_TRUE(name) << name.error().text;
    model::NodeRecord node;
    node.names.name = node.names.display = "step";
    node.state = model::State::succeeded;
    model::ArtifactRecord artifact;
    artifact.name = "out";
    artifact.path = "/tmp/out";
    artifact.tree = saved.id.tree;
    artifact.times = saved.id.times;
    artifact.sent = std::move(sent);
    node.output_artifacts = {artifact};
    catalog::Changes changes{.run = *name, .nodes = {node}};
    EXPECT_TRUE(catalog_->apply(std::span(&changes, 1)));
    return *name;
  }
  static model::Location at_path(const fs::path& file) {
    model::Location location{.kind = "file", .fields = {}};
    location.set("path", model::Text::literal(file.string()));
    return location;
  }

  std::optional<catalog::Home> home_;
  std::unique_ptr<catalog::Catalog> catalog_;
  Dialects dialects_;
  int restored_ = 0;
};

TEST_F(RepositoryTest, a_key_is_an_object_or_all_that_lies_below_it) {
  put("data/input", "dir");
  put("/data//input/more", "file");
  put("data/input-other", "file");
  EXPECT_EQ(at("data/input"), (Files{{"a.txt", "a"}, {"inner/b.txt", "b"}, {"more", "file"}}));
  EXPECT_EQ(at("data/input/"), at("data/input"));
  EXPECT_EQ(at("data/input/inner"), (Files{{"b.txt", "b"}}));
  EXPECT_EQ(at("data/input/a.txt"), (Files{{"", "a"}}));
  EXPECT_EQ(at("data/input/more"), (Files{{"", "file"}}));
  EXPECT_EQ(at("data"),
            (Files{{"input/a.txt", "a"}, {"input/inner/b.txt", "b"}, {"input/more", "file"}, {"input-other", "file"}}));
  for (const char* missing : {"dat", "data/inpu", "data/input/b.txt", "data/input-other/x"}) {
    auto found = find_key(parts(), missing);
    ASSERT_FALSE(found) << missing;
    EXPECT_EQ(found.error().kind, ErrorKind::not_found) << found.error().text;
  }
  EXPECT_THAT(keys_below(parts(), "data/input").value(),
              ElementsAre("data/input-other", "data/input/a.txt", "data/input/inner/b.txt", "data/input/more"));
  EXPECT_THAT(keys_below(parts(), "data/input/in").value(), ElementsAre("data/input/inner/b.txt"));
  EXPECT_FALSE(put_under_key(parts(), "data/../up", path("work/file")));
}

TEST_F(RepositoryTest, what_was_put_is_kept_until_its_key_goes) {
  put("data", "file");
  const auto first = catalog_->key("data").value().artifact.tree;
  auto roots = [&] {
    std::vector<Digest> found;
    EXPECT_TRUE(take_roots(parts(), [&](const store::Root& root) -> Status {
      if (const auto* artifact = std::get_if<store::ArtifactId>(&root.what)) found.push_back(artifact->tree);
      return {};
    }));
    return found;
  };
  EXPECT_THAT(roots(), ElementsAre(first));
  put("data", "dir");
  EXPECT_THAT(roots(), ElementsAre(catalog_->key("data").value().artifact.tree));
  ASSERT_TRUE(catalog_->remove_key("data", first).error().kind == ErrorKind::not_found);  // that is another's by now
  ASSERT_TRUE(catalog_->remove_key("data"));
  EXPECT_THAT(roots(), IsEmpty());
}

TEST_F(RepositoryTest, what_a_run_sent_goes_with_it_where_that_was_asked_for) {
  using Collect = model::Save::Collect;
  for (const char* file : {"stays", "goes", "gone"}) write(path("work") / file, "file");
  const std::string run = run_that_sent({{.to = at_path(path("work/stays")), .collect = Collect::never},
                                         {.to = at_path(path("work/goes")), .collect = Collect::at_deletion},
                                         {.to = at_path(path("work/gone")), .collect = Collect::at_completion}});
  ASSERT_TRUE(remove_run(parts(), run));
  EXPECT_TRUE(fs::exists(path("work/stays")));
  EXPECT_FALSE(fs::exists(path("work/goes")));
  EXPECT_FALSE(fs::exists(path("work/gone")));
}

TEST_F(RepositoryTest, a_run_stays_while_what_it_sent_cannot_be_deleted) {
  model::Location unreachable{.kind = "http", .fields = {}};
  unreachable.set("url", model::Text::literal("http://127.0.0.1:1/file"));
  write(path("work/goes"), "file");
  const std::string run =
      run_that_sent({{.to = unreachable, .collect = model::Save::Collect::at_deletion},
                     {.to = at_path(path("work/goes")), .collect = model::Save::Collect::at_deletion}});
  std::vector<std::string> notices;
  auto tell = [&](const std::string& notice) { notices.push_back(notice); };
  auto removed = remove_run(parts(), run, false, tell);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().kind, ErrorKind::unavailable) << removed.error().text;
  EXPECT_THAT(notices, ElementsAre(HasSubstr("http://127.0.0.1:1/file")));
  const auto record = catalog_->run(run).value();
  EXPECT_FALSE(record.nodes[0].output_artifacts[0].sent[0].deleted);
  EXPECT_TRUE(record.nodes[0].output_artifacts[0].sent[1].deleted);
  ASSERT_TRUE(remove_run(parts(), run, true, tell));

  const std::string forgiving =
      run_that_sent({{.to = unreachable, .collect = model::Save::Collect::at_deletion, .may_stay = true}});
  EXPECT_TRUE(remove_run(parts(), forgiving, false, tell));
}

}  // namespace
}  // namespace kist::engine
