// Every expression and every condition of real workflow files can be read. The collection is KIST_CORPUS, or
// `shared/corpus` beside a directory above this one; without it these tests are skipped.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "base/yaml.hpp"
#include "expression/condition.hpp"
#include "expression/text.hpp"

namespace kist::expression {
namespace {

namespace fs = std::filesystem;

class ExpressionCorpus : public testing::Test {
 protected:
  void SetUp() override {
    fs::path corpus;
    if (const char* named = std::getenv("KIST_CORPUS")) corpus = named;
    for (fs::path above = fs::current_path(); corpus.empty() && above != above.root_path(); above = above.parent_path())
      if (fs::exists(above / "shared/corpus/INDEX.tsv")) corpus = above / "shared/corpus";
    if (!fs::is_directory(corpus)) GTEST_SKIP() << "no collection of workflow files is here; KIST_CORPUS names one";
    for (const char* folder : {"argo", "hera", "onepanel"}) {
      if (!fs::is_directory(corpus / folder)) continue;
      for (const fs::directory_entry& file : fs::recursive_directory_iterator(corpus / folder))
        if (file.is_regular_file() && (file.path().extension() == ".yaml" || file.path().extension() == ".yml"))
          read(file.path());
    }
  }

  // All scalars, and those of a key `when`.
  void read(const fs::path& path) {
    std::ifstream stream(path);
    std::string source(std::istreambuf_iterator<char>(stream), {});
    auto documents = yaml::parse(source, path.filename().string(), {.duplicate_keys = true});
    if (!documents) return;
    for (const yaml::Node& document : *documents) visit(document, false);
  }
  void visit(const yaml::Node& node, bool condition) {
    if (node.is_scalar() && node.text.contains("{{=")) texts_.insert(node.text);
    if (node.is_scalar() && condition) conditions_.insert(node.text);
    for (const yaml::Node& item : node.items) visit(item, false);
    for (const auto& [key, value] : node.entries) visit(value, key.text == "when");
  }

  std::set<std::string> texts_;
  std::set<std::string> conditions_;
};

TEST_F(ExpressionCorpus, EveryExpressionCanBeRead) {
  EXPECT_GT(texts_.size(), 20U);
  for (const std::string& source : texts_) {
    auto text = Text::parse(source);
    ASSERT_TRUE(text) << source << ": " << text.error().text;
    EXPECT_EQ(text->source(), source);
  }
}

// Every name means the same.
class OneAnswer : public Scope {
 public:
  explicit OneAnswer(std::string answer) : answer_(std::move(answer)) {}
  Result<std::optional<std::string>> find(std::string_view) const override { return answer_; }

 private:
  std::string answer_;
};

TEST_F(ExpressionCorpus, EveryConditionIsTrueOrFalse) {
  EXPECT_GT(conditions_.size(), 20U);
  for (const std::string& source : conditions_) {
    auto text = Text::parse(source);
    ASSERT_TRUE(text) << source;
    if (source.contains("{{=")) continue;
    // What a step gave may be a word or a number; patterns go with words only.
    bool decided = false;
    for (const char* answer : {"heads", "1"}) {
      auto condition = evaluate(*text, OneAnswer(answer));
      ASSERT_TRUE(condition) << source;
      decided = decided || evaluate_condition(*condition).has_value();
    }
    EXPECT_TRUE(decided) << source;
  }
}

}  // namespace
}  // namespace kist::expression
