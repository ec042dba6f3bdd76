#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "base/file.hpp"
#include "dialect/circleci/dialect.hpp"
#include "dialect/circleci/lowered.hpp"

namespace kist::dialect::circleci {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(CircleciDialect, FindsAndRecognisesItsFile) {
  auto directory = ScratchDirectory::make(std::filesystem::temp_directory_path(), "kist-circleci-");
  ASSERT_TRUE(directory);
  EXPECT_THAT(dialect().project_files(directory->path()), IsEmpty());
  std::filesystem::create_directories(directory->path() / ".circleci");
  std::ofstream(directory->path() / ".circleci/config.yml") << "version: 2\n";
  EXPECT_THAT(dialect().project_files(directory->path()), ElementsAre(directory->path() / ".circleci/config.yml"));

  EXPECT_TRUE(dialect().recognises("x/.circleci/config.yml", "- ["));
  EXPECT_TRUE(dialect().recognises("other.yml", "# about\nversion: 2.1\norbs: {}\njobs:\n  build: [\n"));
  EXPECT_TRUE(dialect().recognises("other.yml", "version: '2'\nworkflows:\n"));
  EXPECT_FALSE(dialect().recognises("other.yml", "version: 3\nservices: {}\n"));
  EXPECT_FALSE(dialect().recognises("other.yml", "workflows:\n  - name: x\n"));
}

TEST(CircleciDialect, ListsTheWorkflows) {
  auto listed = dialect().workflows({{"c.yml", "version: 2\njobs: {}\nworkflows:\n  version: 2\n  a: {}\n  b: 7\n"}});
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 2u);
  EXPECT_EQ((*listed)[1].name, "b");
  EXPECT_EQ(to_string((*listed)[1].origin), "c.yml:6:3");
  EXPECT_EQ(dialect().workflows({{"c.yml", "version: 2\njobs: {build: {}, x: {}}\n"}})->front().name, "build");
  EXPECT_FALSE(dialect().workflows({{"c.yml", "["}}));
}

TEST(CircleciDialect, SpeaksAsCircleciDoes) {
  const model::Wording& words = dialect().wording();
  model::NodePlace place{.run = "r",
                         .parent = nullptr,
                         .group = model::Group::Kind::graph,
                         .stage = 0,
                         .step = "",
                         .definition = "workflow:all",
                         .label = ""};
  model::NodeNames all = words.names(place);
  EXPECT_EQ(all.display, "all");
  EXPECT_EQ(words.log_prefix(all), "");
  place.parent = &all;
  place.step = "test";
  place.definition = "test";
  model::NodeNames job = words.names(place);
  EXPECT_EQ(job.name, "test");
  EXPECT_EQ(job.id, "r/test");
  EXPECT_EQ(words.log_prefix(job), "test: ");
  EXPECT_EQ(words.state(model::State::omitted), "not_run");
  EXPECT_EQ(words.state(model::State::succeeded), "success");
  EXPECT_EQ(words.process_failed({.container = "main", .action = "make", .exit_code = 134, .signal = 6}),
            "Exited with code exit status 134");
}

// The two configs of the page on artifacts, in other words.
TEST(CircleciDialect, TwoArtifactsOfAJobInTmp) {
  auto lowered = circleci::lowered(R"(version: 2
jobs:
  build:
    docker:
      - image: python:3.6.0-jessie

    working_directory: /tmp
    steps:
      - run:
          name: Make two things
          command: |
            echo one > /tmp/artifact-1;
            mkdir /tmp/artifacts;

      - store_artifacts:
          path: /tmp/artifact-1
          destination: artifact-file

      - store_artifacts:
          path: /tmp/artifacts
)");
  EXPECT_THAT(lowered.notices, IsEmpty());
  const model::Task& task = task_of(lowered);
  EXPECT_EQ(lowered.workflow.entry.definition, "build");
  EXPECT_EQ(task.containers[0].working_directory.source(), "/tmp");
  EXPECT_THAT(task.fresh_directories, IsEmpty());
  EXPECT_THAT(steps_of(task), ElementsAre("+ run Make two things", "+- save artifact-file", "+- save tmp/artifacts"));
}

TEST(CircleciDialect, ACoreDumpIsCollectedAfterTheFailure) {
  auto lowered = circleci::lowered(R"(version: 2
jobs:
  build:
    docker:
      - image: gcc:8.1.0
    working_directory: ~/work
    steps:
      - checkout
      - run: make
      - run: |
          # no limit on the size of cores
          ulimit -c unlimited
          ./dump
      - run:
          command: |
            mkdir -p /tmp/core_dumps
            cp core.* /tmp/core_dumps
          when: on_fail
      - store_artifacts:
          path: /tmp/core_dumps
)");
  EXPECT_THAT(lowered.notices, IsEmpty());
  EXPECT_THAT(steps_of(task_of(lowered)),
              ElementsAre("+ checkout .", "+ run make", "+ run # no limit on the size of cores …",
                          "- run mkdir -p /tmp/core_dumps …", "+- save tmp/core_dumps"));
}

}  // namespace
}  // namespace kist::dialect::circleci
