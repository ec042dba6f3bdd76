#include <gmock/gmock.h>

#include "dialect/circleci/lowered.hpp"
#include "dialect/circleci/names.hpp"
#include "dialect/circleci/steps.hpp"

namespace kist::dialect::circleci {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> sources(const std::vector<model::Text>& texts) {
  std::vector<std::string> all;
  for (const model::Text& text : texts) all.push_back(text.source());
  return all;
}

TEST(CircleciSteps, EachRunIsAScriptOfItsOwn) {
  auto lowered = circleci::lowered(steps("      - run: make\n      - run: |\n          # two\n          ./dump\n"));
  auto runs = actions<model::Run>(task_of(lowered));
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_THAT(sources(runs[0].command), ElementsAre("/bin/bash", "-eo", "pipefail"));
  EXPECT_EQ(runs[0].script->source(), "make\n");
  EXPECT_EQ(runs[1].script->source(), "# two\n./dump\n");
  EXPECT_NE(runs[0].script_path, runs[1].script_path);
  EXPECT_EQ(runs[0].no_output_timeout, std::chrono::minutes(10));
  EXPECT_THAT(steps_of(task_of(lowered)), ElementsAre("+ run make", "+ run # two …"));
}

TEST(CircleciSteps, ARunWithAllItsKeys) {
  auto lowered = circleci::lowered(steps(R"(      - run:
          name: Serve
          command: "python -m http.server"
          shell: /bin/sh -e
          environment: {A: 1, B: "two words"}
          background: yes
          working_directory: ~/site
          no_output_timeout: 1.5h
          when: always
          max_auto_reruns: 2
          tIMEOUT: 7
      - run: {command: x, no_output_timeout: 90s, shell: [python3, -u]}
)"));
  const model::Task& task = task_of(lowered);
  auto runs = actions<model::Run>(task);
  ASSERT_EQ(runs.size(), 2u);
  EXPECT_EQ(task.actions[1].title, "Serve");
  EXPECT_TRUE(task.actions[1].when.success && task.actions[1].when.failure);
  EXPECT_FALSE(task.actions[1].when.stopped || task.actions[1].when.aborted);
  EXPECT_THAT(sources(runs[0].command), ElementsAre("/bin/sh", "-e"));
  EXPECT_EQ(runs[0].environment.size(), 2u);
  EXPECT_EQ(runs[0].environment[1].value.source(), "two words");
  EXPECT_TRUE(runs[0].background);
  EXPECT_EQ(runs[0].no_output_timeout, std::nullopt);
  EXPECT_EQ(runs[0].working_directory->source(), "~/site");
  EXPECT_EQ(runs[1].no_output_timeout, std::chrono::seconds(90));
  EXPECT_THAT(sources(runs[1].command), ElementsAre("python3", "-u"));
  EXPECT_THAT(texts(lowered.notices),
              ElementsAre(HasSubstr("not supported yet: max_auto_reruns"),
                          HasSubstr(".circleci/config.yml:16:11: warning: unknown key 'tIMEOUT' in a run step")));
}

TEST(CircleciSteps, WhenSaysWhichRunAfterAFailure) {
  auto lowered = circleci::lowered(steps(R"(      - checkout
      - checkout: {path: ~/other}
      - run: one
      - run: {command: two, when: on_fail}
      - run: {command: three, when: always}
      - store_artifacts: {path: four}
      - store_artifacts: {path: five, when: on_fail}
      - store-artifacts: {path: six, when: on_success}
)"));
  EXPECT_THAT(steps_of(task_of(lowered)), ElementsAre("+ checkout .", "+ checkout ~/other", "+ run one", "- run two",
                                                      "+- run three", "+- save four", "- save five", "+ save six"));
  EXPECT_THAT(refused(steps("      - run: {command: x, when: sometimes}\n")).text,
              HasSubstr(":6:33: when: expected always, on_success or on_fail, not 'sometimes'"));
}

TEST(CircleciSteps, StoreArtifactsKeepsFilesAndNeverFails) {
  auto lowered = circleci::lowered(steps("      - store_artifacts: {path: ~/x/, destination: y}\n"));
  auto saves = actions<model::Save>(task_of(lowered));
  ASSERT_EQ(saves.size(), 1u);
  EXPECT_EQ(saves[0].name, "y");
  EXPECT_EQ(saves[0].path.source(), "~/x/");
  EXPECT_EQ(saves[0].missing, model::Save::Missing::notice);
  EXPECT_FALSE(saves[0].directories);
}

struct Name {
  const char* path;
  const char* destination;
  const char* name;
};

TEST(CircleciNames, AreThePathOrTheDestinationCleaned) {
  for (const Name& example : {
           Name{"/tmp/artifact-1", "artifact-file", "artifact-file"},
           Name{"/tmp/artifacts", nullptr, "tmp/artifacts"},
           Name{"./node_modules.tgz", nullptr, "node_modules.tgz"},
           Name{"doc/build/html/", nullptr, "doc/build/html"},
           Name{"~/babel/packages/x.js", nullptr, "~/babel/packages/x.js"},
           Name{"coverage.html", "coverage", "coverage"},
           Name{"doc//x/./stable", "doc/", "doc"},
           Name{"prometheus", "/build/prometheus", "build/prometheus"},
           Name{"a/../b", nullptr, "b"},
           Name{"out", "a/./b//c", "a/b/c"},
           Name{"build/app.log", "/", "app.log"},
           Name{"dist/", ".", "dist"},
           Name{"~", nullptr, "~"},
       }) {
    auto name = artifact_name(example.path,
                              example.destination ? std::optional<std::string>(example.destination) : std::nullopt);
    ASSERT_TRUE(name) << example.path << ": " << name.error().text;
    EXPECT_EQ(name->name, example.name);
  }
  for (const Name& example : {Name{"x", "../y", ""}, Name{"../x", nullptr, ""}, Name{".", nullptr, ""},
                              Name{"/", nullptr, ""}, Name{"..", ".", ""}, Name{"", nullptr, ""}})
    EXPECT_FALSE(artifact_name(example.path,
                               example.destination ? std::optional<std::string>(example.destination) : std::nullopt))
        << example.path;
}

TEST(CircleciSteps, NamesThatSurpriseAreTold) {
  auto lowered = circleci::lowered(
      steps("      - store_artifacts: {path: dist, destination: .}\n      - store_artifacts: {path: 'out/*.log'}\n"
            "      - store_artifacts: {path: x, prefix: y}\n"));
  EXPECT_THAT(texts(lowered.notices),
              ElementsAre(HasSubstr(":6:52: warning: an artifact needs a name: it is called 'dist'"),
                          HasSubstr(":7:33: warning: path: 'out/*.log' is taken as it is written"),
                          HasSubstr(":8:36: warning: unknown key 'prefix'")));
  EXPECT_THAT(refused(steps("      - store_artifacts: {path: ../x}\n")).text, HasSubstr("add a `destination`"));
  EXPECT_THAT(refused(steps("      - store_artifacts: {path: x, destination: ../../y}\n")).text,
              HasSubstr(":6:49: destination: '../../y' leads out of the artifacts"));
}

TEST(CircleciSteps, WhatIsNotSupportedIsNamedOnce) {
  auto lowered = circleci::lowered(steps(R"(      - restore_cache: {key: x}
      - restore-cache: {key: y}
      - save_cache: {key: x, paths: [y]}
      - persist_to_workspace: {root: ., paths: [x]}
      - store_test_results: {path: x}
      - add_ssh_keys
      - run: x
)"));
  EXPECT_THAT(texts(lowered.notices), ElementsAre(HasSubstr(":6:9: warning: not supported yet: restore_cache"),
                                                  HasSubstr(":8:9: warning: not supported yet: save_cache"),
                                                  HasSubstr(":9:9: warning: not supported yet: persist_to_workspace"),
                                                  HasSubstr(":10:9: warning: not supported yet: store_test_results"),
                                                  HasSubstr(":11:9: warning: not supported yet: add_ssh_keys")));
  Error error = refused(
      steps("      - attach_workspace: {at: x}\n      - attach_workspace: {at: y}\n      - setup_remote_docker\n"
            "      - when: {condition: true, steps: []}\n      - node/install\n"));
  EXPECT_EQ(error.kind, ErrorKind::unsupported);
  EXPECT_EQ(error.text,
            ".circleci/config.yml:6:9: not supported yet: attach_workspace (the files of other jobs would be missing)\n"
            ".circleci/config.yml:8:9: not supported yet: setup_remote_docker (there would be no docker to speak to)\n"
            ".circleci/config.yml:9:9: not supported yet: when\n"
            ".circleci/config.yml:10:9: not supported yet: orbs (the step node/install)");
}

TEST(CircleciSteps, MistakesHaveTheirPlace) {
  auto first = [](std::string lines) { return refused(steps(lines)).text; };
  EXPECT_THAT(first("      - frobnicate\n"), HasSubstr(":6:9: there is no step 'frobnicate'"));
  EXPECT_THAT(first("      - run:\n"), HasSubstr(":6:9: run: expected a command"));
  EXPECT_THAT(first("      - run: [x]\n"), HasSubstr("run: expected a command, not a list"));
  EXPECT_THAT(first("      - run: {name: x}\n"), HasSubstr(":6:9: this step needs `command`"));
  EXPECT_THAT(first("      - run:\n        name: x\n"),
              HasSubstr(":6:9: expected a step: one key; are the lines below"));
  EXPECT_THAT(first("      - store_artifacts: {destination: x}\n"), HasSubstr("this step needs `path`"));
  EXPECT_THAT(first("      - store_artifacts\n"), HasSubstr("expected `path`"));
  EXPECT_THAT(first("      - ~\n"), HasSubstr("expected a step, not nothing"));
  EXPECT_THAT(first("      - run: {command: x, background: 7}\n"), HasSubstr("background: expected true or false"));
  EXPECT_THAT(first("      - run: {command: x, no_output_timeout: soon}\n"), HasSubstr("expected a time such as 30s"));
  EXPECT_THAT(first("      - run: {command: x, shell: \"a 'b\"}\n"),
              HasSubstr("shell: a quote (') that is not closed"));
  EXPECT_THAT(first("      - run: {command: x, shell: powershell.exe}\n"), HasSubstr("not supported yet: windows"));
  EXPECT_THAT(first("      - run: \"a\\0b\"\n"), HasSubstr("NUL"));
}

TEST(CircleciSteps, AListOfStepsAmongStepsIsItsSteps) {
  auto lowered = circleci::lowered(
      "version: 2\nprepare: &prepare\n  - checkout\n  - run: make\njobs:\n  build:\n    machine: true\n    steps:\n"
      "      - *prepare\n      - run: last\n");
  EXPECT_THAT(steps_of(task_of(lowered)), ElementsAre("+ checkout .", "+ run make", "+ run last"));
  EXPECT_THAT(refused(steps("      - [[checkout]]\n")).text, HasSubstr("expected a step, not a list"));
}

TEST(CircleciSteps, ParametersAreNamedInVersion21AndTextInVersion2) {
  std::string text = steps(
      "      - run: echo << parameters.x >> << pipeline.number >>\n      - run: cat <<EOF >> f\n"
      "      - run: echo \\<< parameters.x >>\n");
  auto lowered = circleci::lowered(text);
  EXPECT_EQ(actions<model::Run>(task_of(lowered))[0].script->source(),
            "echo << parameters.x >> << pipeline.number >>\n");
  text.replace(9, 1, "2.1");
  Error error = refused(text);
  EXPECT_EQ(error.text, ".circleci/config.yml:6:14: not supported yet: parameters (<< parameters.x >>)");
  EXPECT_EQ(error.kind, ErrorKind::unsupported);
  text = steps("      - run: cat <<EOF >> f\n      - run: echo \\<< parameters.x >>\n");
  text.replace(9, 1, "2.1");
  auto runs = actions<model::Run>(task_of(circleci::lowered(text)));
  EXPECT_EQ(runs[0].script->source(), "cat <<EOF >> f\n");
  EXPECT_EQ(runs[1].script->source(), "echo << parameters.x >>\n");
}

TEST(CircleciDurations, AreRoundedUpToSeconds) {
  EXPECT_EQ(parse_duration("10m"), std::chrono::minutes(10));
  EXPECT_EQ(parse_duration("1h30m"), std::chrono::minutes(90));
  EXPECT_EQ(parse_duration("0.2s"), std::chrono::seconds(1));
  EXPECT_EQ(parse_duration("0s"), std::chrono::seconds(1));
  for (const char* text : {"", "10", "m", "-5m", "1e9h", "nanm", "infs", "5d", "9999999999999999999999h", "5m "})
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
}

}  // namespace
}  // namespace kist::dialect::circleci
