#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>

#include "base/file.hpp"
#include "dialect/dstack/dialect.hpp"
#include "dialect/dstack/lowered.hpp"

namespace kist::dialect::dstack {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kGood = "workflows:\n  - {name: good, help: It works, provider: bash, commands: [echo 1]}\n";

TEST(DstackDialect, FindsItsFilesInAProject) {
  auto directory = ScratchDirectory::make(std::filesystem::temp_directory_path(), "kist-dstack-");
  ASSERT_TRUE(directory);
  EXPECT_THAT(dialect().project_files(directory->path()), IsEmpty());
  std::filesystem::create_directories(directory->path() / ".dstack/workflows/deeper");
  for (const char* file : {"workflows.yaml", "workflows.yml", "profiles.yml", "workflows/b.yml", "workflows/a.yaml",
                           "workflows/notes.md", "workflows/deeper/c.yaml"})
    std::ofstream(directory->path() / ".dstack" / file) << "x";
  std::vector<std::string> found;
  for (const auto& file : dialect().project_files(directory->path()))
    found.push_back(file.lexically_relative(directory->path()).string());
  EXPECT_THAT(found, ElementsAre(".dstack/workflows.yaml", ".dstack/workflows.yml", ".dstack/workflows/a.yaml",
                                 ".dstack/workflows/b.yml"));
}

TEST(DstackDialect, RecognisesItsFilesByNameOrShape) {
  EXPECT_TRUE(dialect().recognises("x/.dstack/workflows.yml", "- ["));
  EXPECT_TRUE(dialect().recognises("/x/.dstack/workflows/a.yaml", ""));
  EXPECT_FALSE(dialect().recognises(".dstack/profiles.yml", ""));
  EXPECT_TRUE(dialect().recognises("some.yaml", "# about\n\nworkflows: # all\n\n  - name: x\n   oops"));
  EXPECT_TRUE(dialect().recognises("some.yaml", "workflows: [{name: x}]"));
  EXPECT_FALSE(dialect().recognises("some.yaml", "workflows:\n  main:\n    jobs: []\n"));
  EXPECT_FALSE(dialect().recognises("some.yaml", "kind: Workflow\nworkflows:\n- x"));
  EXPECT_FALSE(dialect().recognises("some.yaml", "workflows:"));
  // By their mistakes, so that these are told.
  EXPECT_TRUE(dialect().recognises("some.yaml", "workflows: hello"));
  EXPECT_TRUE(dialect().recognises("some.yaml", "workflows:\n    name: x\n    provider: bash\n"));
  EXPECT_FALSE(dialect().recognises("some.yaml", "workflows:\n  a:\n    jobs:\n      - b:\n          provider: c\n"));
  EXPECT_FALSE(dialect().recognises("some.yaml", "workflows:\n  a:\n    when: x\nprovider: c\n"));
}

TEST(DstackDialect, ABadFileLeavesTheWorkflowsOfOthersAlone) {
  auto request = request_for("workflows:\n  - [\n", "good");
  request.files.push_back({".dstack/workflows/good.yaml", kGood});
  auto lowered = dstack::lowered(request);
  ASSERT_EQ(lowered.notices.size(), 1u);
  EXPECT_THAT(lowered.notices[0].text, HasSubstr(".dstack/workflows.yaml:"));

  auto summaries = dialect().workflows(request.files);
  ASSERT_TRUE(summaries);
  ASSERT_EQ(summaries->size(), 1u);
  EXPECT_EQ(summaries->front().help, "It works");

  // Asked for what the bad file may hold, the mistake is the answer.
  request.workflow = "other";
  Error error = refused(request);
  EXPECT_EQ(error.kind, ErrorKind::invalid);
  EXPECT_THAT(error.text, HasSubstr("there is no workflow 'other'; there are: good\n.dstack/workflows.yaml:"));
}

TEST(DstackDialect, ABadWorkflowLeavesItsNeighboursAlone) {
  auto request = request_for("workflows:\n  - name: bad\n    provider: [x]\n    commands: 7: 8\n", "good");
  request.files[0].text =
      "workflows:\n  - {name: bad, provider: [x], commands: {}}\n  - provider: bash\n  - 7\n"
      "  - {name: good, provider: bash, commands: [echo 1]}\n";
  auto lowered = dstack::lowered(request);
  EXPECT_THAT(texts(lowered.notices), ElementsAre(HasSubstr(":3:5: warning: this workflow has no name"),
                                                  HasSubstr(":4:5: warning: expected a workflow")));
}

TEST(DstackDialect, AskingForAWorkflow) {
  auto request = request_for(kGood, "nope");
  Error missing = refused(request);
  EXPECT_EQ(missing.kind, ErrorKind::not_found);
  EXPECT_EQ(missing.text, "there is no workflow 'nope'; there are: good");

  request.workflow = "";
  EXPECT_EQ(lowered(request).workflow.name, "good");

  request.files.push_back({".dstack/workflows/b.yaml", kGood});
  request.workflow = "good";
  EXPECT_EQ(refused(request).text,
            "there are two workflows named 'good': at .dstack/workflows.yaml:2:5 and at .dstack/workflows/b.yaml:2:5; "
            "rename one");
  request.files[1].text = "workflows: [{name: other, provider: bash, commands: [x]}]";
  EXPECT_EQ(lowered(request).workflow.name, "good");
  request.workflow = "";
  EXPECT_EQ(refused(request).text, "there are several workflows; say which one to run: good, other");
}

TEST(DstackDialect, FilesThatAreNoWorkflowFiles) {
  for (const char* text : {"", "# nothing\n", "~\n", "[]", "text", "workflows: 7", "workflows: {a: b}", "other: 1",
                           "workflows: []", "workflows:\n"}) {
    Error error = refused(request_for(text));
    EXPECT_THAT(error.text, HasSubstr("there is no workflow 'w'")) << text;
  }
}

TEST(DstackDialect, SpeaksAsDstackDoes) {
  const model::Wording& words = dialect().wording();
  model::NodeNames names = words.names({.run = "grumpy-zebra-1",
                                        .parent = nullptr,
                                        .group = model::Group::Kind::graph,
                                        .stage = 0,
                                        .step = "",
                                        .definition = "hello-txt",
                                        .label = ""});
  EXPECT_EQ(names.name, "hello-txt");
  EXPECT_EQ(names.id, "grumpy-zebra-1,hello-txt,0");
  EXPECT_EQ(words.log_prefix(names), "");
  EXPECT_EQ(words.state(model::State::pending), "Submitted");
  EXPECT_EQ(words.state(model::State::succeeded), "Done");
  EXPECT_EQ(words.state(model::State::error), "Failed");
  EXPECT_EQ(words.process_failed({.container = "main", .action = "commands", .exit_code = 3, .signal = 0}),
            "Exit code: 3");
}

}  // namespace
}  // namespace kist::dialect::dstack
