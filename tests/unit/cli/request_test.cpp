#include "cli/request.hpp"

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/file.hpp"

namespace kist::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

// Its workflows are the words of the files in DIR/.NAME/; "broken" is an error.
class Words final : public model::Dialect {
 public:
  explicit Words(std::string name) : name_(std::move(name)) {}
  std::string_view name() const override { return name_; }
  std::vector<fs::path> project_files(const fs::path& project) const override {
    std::vector<fs::path> files;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(project / ("." + name_), ignored)) files.push_back(entry.path());
    std::ranges::sort(files);
    return files;
  }
  bool recognises(const fs::path&, std::string_view text) const override { return text.starts_with(name_ + ":"); }
  Result<std::vector<model::WorkflowSummary>> workflows(const std::vector<model::SourceText>& files) const override {
    std::vector<model::WorkflowSummary> all;
    for (const auto& file : files) {
      std::istringstream words(file.text);
      for (std::string word; words >> word;) {
        if (word == "broken") return fail(ErrorKind::invalid, file.name + ":1:1: broken");
        if (!word.ends_with(':')) all.push_back({word, "", {}});
      }
    }
    return all;
  }
  Result<model::Lowered> lower(const model::RunRequest&) const override { return fail(ErrorKind::unsupported, ""); }
  const model::Wording& wording() const override { std::abort(); }
  std::vector<Flag> run_flags() const override { return {{"gpu", "g", "how many", true}}; }

 private:
  std::string name_;
};

class Request : public testing::Test {
 protected:
  void write(const std::string& path, const std::string& text) {
    fs::create_directories((directory_ / path).parent_path());
    std::ofstream(directory_ / path) << text;
  }
  Result<Prepared> ask(std::vector<std::string> words, const std::string& below = "") {
    fs::create_directories(directory_ / below);
    fs::current_path(directory_ / below);
    Asked asked;
    asked.words = std::move(words);
    return prepare(dialects_, asked, directory_ / below, fallback_);
  }
  std::string error_of(std::vector<std::string> words) {
    const auto prepared = ask(std::move(words));
    EXPECT_FALSE(prepared);
    return prepared ? "" : prepared.error().text;
  }
  ~Request() override { fs::current_path("/"); }

  const Words one_{"one"};
  const Words two_{"two"};
  const engine::Dialects dialects_{&one_, &two_};
  const model::Dialect* fallback_ = nullptr;
  const ScratchDirectory scratch_ = *ScratchDirectory::make(fs::temp_directory_path(), "kist-request-");
  const fs::path directory_ = fs::canonical(scratch_.path());
};

TEST_F(Request, FindsTheNearestProjectAbove) {
  write(".one/a", "hello train");
  write("deep/.two/b", "other");
  auto prepared = ask({"train", "--lr", "1"}, "below/it");
  ASSERT_TRUE(prepared) << prepared.error().text;
  EXPECT_EQ(prepared->request.project, directory_.string());
  EXPECT_EQ(prepared->request.dialect, "one");
  EXPECT_EQ(prepared->request.workflow, "train");
  EXPECT_EQ(prepared->request.files.front().name, "../../.one/a");
  EXPECT_THAT(prepared->request.arguments, ElementsAre("--lr", "1"));
  prepared = ask({}, "deep");
  ASSERT_TRUE(prepared) << prepared.error().text;
  EXPECT_EQ(prepared->request.workflow, "other");
  EXPECT_EQ(prepared->request.project, (directory_ / "deep").string());
}

TEST_F(Request, ListsTheWorkflowsWhereItCannotChoose) {
  EXPECT_THAT(error_of({}), HasSubstr("no workflow files"));
  write(".one/a", "hello train");
  write(".two/a", "other");
  EXPECT_THAT(error_of({}),
              testing::AllOf(HasSubstr("which workflow?"), HasSubstr("\n  train"), HasSubstr("\n  other")));
  EXPECT_THAT(error_of({"trian"}), HasSubstr("did you mean 'train'?"));
  EXPECT_THAT(error_of({"--frobnicate"}), HasSubstr("unknown option '--frobnicate'"));
}

TEST_F(Request, ListsEachNameOnceWithWhatTellsItApart) {
  write(".one/a", "hello hello train");
  write(".two/a", "train other");
  EXPECT_THAT(error_of({}), HasSubstr("\n  hello  (2 of this name)\n  train  (one)\n  train  (two)\n  other"));
}

TEST_F(Request, LeavesAnUnknownNameToTheOnlyDialect) {
  write(".one/a", "hello");
  const auto prepared = ask({"bash", "-c", "ls"});
  ASSERT_TRUE(prepared);
  EXPECT_EQ(prepared->request.workflow, "bash");
  EXPECT_THAT(prepared->request.arguments, ElementsAre("-c", "ls"));
}

TEST_F(Request, AWordThatIsInTwoSystemsNeedsAFile) {
  write(".one/a", "same");
  write(".two/a", "two: same");
  EXPECT_THAT(error_of({"same"}), HasSubstr("in several systems"));
  const auto prepared = ask({".two/a", "same", "x"});
  ASSERT_TRUE(prepared) << prepared.error().text;
  EXPECT_EQ(prepared->request.dialect, "two");
  EXPECT_EQ(prepared->request.workflow, "same");
  EXPECT_EQ(prepared->request.project, directory_.string());
  EXPECT_THAT(prepared->request.arguments, ElementsAre("x"));
}

TEST_F(Request, ABrokenFileStandsInTheWayOfItsOwnWorkflowsOnly) {
  write(".one/a", "hello");
  write(".one/b", "broken");
  const auto prepared = ask({"hello"});
  ASSERT_TRUE(prepared) << prepared.error().text;
  EXPECT_EQ(prepared->request.files.size(), 1U);
  EXPECT_THAT(prepared->warnings, ElementsAre(HasSubstr(".one/b:1:1: broken")));
  EXPECT_THAT(error_of({"other"}), HasSubstr(".one/b:1:1: broken"));
}

TEST_F(Request, AFileIsOneWhereADialectTakesItForItsOwn) {
  write(".one/a", "hello");
  write("hello", "not a workflow");
  write("w.yaml", "two: main");
  write("many.yaml", "two: first second");
  write("odd.yaml", "nonsense");
  auto prepared = ask({"hello"});
  ASSERT_TRUE(prepared) << prepared.error().text;
  EXPECT_EQ(prepared->request.dialect, "one");
  prepared = ask({"w.yaml", "argument"});
  ASSERT_TRUE(prepared) << prepared.error().text;
  EXPECT_EQ(prepared->request.workflow, "main");
  EXPECT_THAT(prepared->request.arguments, ElementsAre("argument"));
  EXPECT_THAT(error_of({"many.yaml"}), HasSubstr("which workflow? many.yaml has:\n  first\n  second"));
  EXPECT_THAT(error_of({"odd.yaml"}), HasSubstr("odd.yaml: not a workflow file of one, two"));
  EXPECT_THAT(error_of({"missing.yaml"}), HasSubstr("missing.yaml: no such file"));
}

TEST_F(Request, UnderADialectsNameItIsAskedWithoutAProject) {
  fallback_ = &two_;
  const auto prepared = ask({"bash", "-c", "ls"});
  ASSERT_TRUE(prepared) << prepared.error().text;
  EXPECT_EQ(prepared->request.dialect, "two");
  EXPECT_THAT(prepared->request.files, IsEmpty());
}

TEST_F(Request, PairsAreSplitAtTheFirstEqualsSign) {
  write("w.yaml", "two: main");
  fs::current_path(directory_);
  setenv("KIST_TEST_HANDED_ON", "mine", 1);
  Asked asked;
  asked.words = {"w.yaml"};
  asked.parameters = {"a=b=c", "empty="};
  asked.environment = {"X=1", "KIST_TEST_HANDED_ON"};
  asked.options = {{"gpu", "2"}};
  auto prepared = prepare(dialects_, asked, directory_, nullptr);
  ASSERT_TRUE(prepared) << prepared.error().text;
  using Pair = std::pair<std::string, std::string>;
  EXPECT_THAT(prepared->request.parameters, ElementsAre(Pair("a", "b=c"), Pair("empty", "")));
  EXPECT_THAT(prepared->request.environment, ElementsAre(Pair("X", "1"), Pair("KIST_TEST_HANDED_ON", "mine")));
  EXPECT_THAT(prepared->request.options, ElementsAre(Pair("gpu", "2")));

  asked.parameters = {"novalue"};
  prepared = prepare(dialects_, asked, directory_, nullptr);
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().text, HasSubstr("-p novalue: expected NAME=VALUE"));
  asked.parameters = {};
  asked.options = {{"other", ""}};
  prepared = prepare(dialects_, asked, directory_, nullptr);
  ASSERT_FALSE(prepared);
  EXPECT_THAT(prepared.error().text, HasSubstr("--other is no option for two workflows"));
}

}  // namespace
}  // namespace kist::cli
