// Real workflow files: of Argo's examples and tests, of Onepanel, and what Hera prints. The collection is KIST_CORPUS,
// or `shared/corpus` beside a directory above this one; without it these tests are skipped.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "dialect/argo/lowered.hpp"

namespace kist::dialect::argo {
namespace {

namespace fs = std::filesystem;

class ArgoCorpus : public testing::Test {
 protected:
  void SetUp() override {
    if (const char* named = std::getenv("KIST_CORPUS")) corpus_ = named;
    for (fs::path above = fs::current_path(); corpus_.empty() && above.has_relative_path(); above = above.parent_path())
      if (fs::exists(above / "shared/corpus/INDEX.tsv")) corpus_ = above / "shared/corpus";
    if (!fs::exists(corpus_ / "INDEX.tsv"))
      GTEST_SKIP() << "no collection of workflow files is here; KIST_CORPUS names one";
  }

  // The cells of a table's lines, its head left out.
  std::vector<std::vector<std::string>> rows(const char* table) const {
    std::vector<std::vector<std::string>> all;
    std::ifstream file(corpus_ / table);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      std::vector<std::string>& cells = all.emplace_back();
      std::istringstream rest(line);
      for (std::string cell; std::getline(rest, cell, '\t');) cells.push_back(cell);
      cells.resize(6);
    }
    return all;
  }

  Result<model::Lowered> lower(const std::string& name) const {
    model::RunRequest request = request_for(read_file(corpus_ / name).value());
    request.files.at(0).name = name;
    return dialect().check(request);
  }

  fs::path corpus_;
};

TEST_F(ArgoCorpus, EveryRefusalNamesItsPlace) {
  const std::regex place("[^:]+:[0-9]+:[0-9]+: .+");
  std::map<std::string, std::map<std::string, int>> counts;
  for (const auto& row : rows("INDEX.tsv")) {
    const std::string& name = row.at(0);
    if (!name.starts_with("argo/") && !name.starts_with("onepanel/") && !name.starts_with("hera/")) continue;
    if (!name.ends_with("yaml") && !name.ends_with("yml") && !name.ends_with("json")) continue;
    auto& count = counts[name.substr(0, name.find('/'))];
    auto all = lower(name);
    ++count[all ? "lowered" : all.error().kind == ErrorKind::unsupported ? "not supported yet" : "wrong"];
    if (all) {
      continue;
    }
    std::istringstream lines(all.error().text);
    for (std::string line; std::getline(lines, line);) EXPECT_TRUE(std::regex_match(line, place)) << line;
  }
  for (const auto& [kind, count] : counts)
    for (const auto& [what, number] : count) std::cout << kind << ": " << number << " " << what << "\n";
  EXPECT_GT(counts["argo"]["lowered"], 200);
}

// What Argo's own tests expect its lint to say. Where one file is both right and wrong, it is wrong for who runs it,
// and so is one whose own arguments lack a value: Argo's lint lets that be, and only its check of what is submitted
// does not.
TEST_F(ArgoCorpus, AgreesWithArgosLint) {
  int agreed = 0;
  int absent = 0;
  std::vector<model::SourceText> beside;
  for (const auto& entry : fs::directory_iterator(corpus_ / "argo/lint"))
    beside.push_back({entry.path().filename().string(), read_file(entry.path()).value()});
  std::map<std::string, bool> right;
  for (const auto& row : rows("argo/LINT_EXPECT.tsv"))
    if (row.at(2) == "NoError") right[row.at(0)] = true;
  for (const auto& row : rows("argo/LINT_EXPECT.tsv")) {
    const std::string name = "argo/" + row.at(0);
    std::string expected = row.at(2);
    if (!fs::exists(corpus_ / name)) {
      ++absent;
      continue;
    }
    model::RunRequest request = request_for(read_file(corpus_ / name).value());
    request.files.at(0).name = name;
    request.library = dialect().library_for(request, beside, false);
    const auto summaries = dialect().workflows(request.files);
    if (summaries && !summaries->empty()) request.workflow = summaries->front().name;
    const bool of_arguments = expected.contains("spec.arguments.") && expected.contains(".value or ");
    const bool submitted = expected != "NoError" && (of_arguments || right.contains(row.at(0)));
    const auto all = submitted ? dialect().lower(request) : dialect().check(request);
    const std::string said = all ? "NoError" : all.error().text;
    bool agrees = true;
    if (expected == "NoError") {
      agrees = all.has_value();
    } else if (const std::size_t quote = expected.find_first_of("\"`"); quote != std::string::npos) {
      expected = expected.substr(quote + 1, expected.size() - quote - 2);
      for (std::size_t at = 0; (at = expected.find("\\\"", at)) != std::string::npos;) expected.erase(at, 1);
      agrees = !all && said.contains(expected);
    } else {
      agrees = !all;
    }
    agreed += agrees ? 1 : 0;
    EXPECT_TRUE(agrees) << name << ": expected " << row.at(2) << "\n  but: " << said;
  }
  std::cout << agreed << " agree, " << absent << " are not here\n";
  EXPECT_GE(agreed, 60);
}

}  // namespace
}  // namespace kist::dialect::argo
