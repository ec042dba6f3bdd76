// Every config that could be found: each of its workflows is lowered, or refused with places; never a crash, and each
// thing that is not supported is named once. KIST_CORPUS names the directory that holds circleci/.
#include <cstdlib>
#include <filesystem>
#include <set>
#include <sstream>

#include <gmock/gmock.h>

#include "base/file.hpp"
#include "dialect/circleci/lowered.hpp"

namespace kist::dialect::circleci {
namespace {

std::filesystem::path corpus() {
  const char* directory = std::getenv("KIST_CORPUS");
  return directory == nullptr ? std::filesystem::path() : std::filesystem::path(directory) / "circleci";
}

// The things that a text says are not supported.
std::vector<std::string> unsupported(const std::string& text) {
  std::vector<std::string> things;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::size_t at = line.find("not supported yet: ");
    if (at != std::string::npos) things.push_back(line.substr(at, line.find(" (", at) - at));
  }
  return things;
}

TEST(CircleciCorpus, EveryWorkflowIsLoweredOrRefusedWithPlaces) {
  if (!std::filesystem::is_directory(corpus())) GTEST_SKIP() << "KIST_CORPUS does not name the corpus of files";
  bool tell = std::getenv("KIST_CORPUS_TELL") != nullptr;
  int files = 0;
  int ran = 0;
  int refused = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(corpus())) {
    std::string extension = entry.path().extension();
    if (!entry.is_regular_file() || (extension != ".yaml" && extension != ".yml")) continue;
    ++files;
    std::string name = entry.path().lexically_relative(corpus());
    auto text = read_file(entry.path());
    ASSERT_TRUE(text) << name;
    model::RunRequest request = request_for(*text);
    request.files[0].name = name;
    auto summaries = dialect().workflows(request.files);
    if (!summaries) {
      EXPECT_THAT(summaries.error().text, testing::HasSubstr(name));
      if (tell) std::puts(summaries.error().text.c_str());
      continue;
    }
    for (const auto& summary : *summaries) {
      request.workflow = summary.name;
      auto lowered = dialect().lower(request);
      std::string said;
      if (lowered) {
        ++ran;
        for (const std::string& notice : texts(lowered->notices)) said += notice + "\n";
      } else {
        ++refused;
        said = lowered.error().text;
        EXPECT_THAT(said, testing::HasSubstr(name + ":"));
        if (tell) std::puts(said.c_str());
      }
      auto things = unsupported(said);
      EXPECT_EQ(std::set(things.begin(), things.end()).size(), things.size()) << said;
    }
  }
  RecordProperty("files", files);
  RecordProperty("lowered", ran);
  RecordProperty("refused", refused);
  EXPECT_GT(files, 400);
  EXPECT_GT(ran, 90);
}

}  // namespace
}  // namespace kist::dialect::circleci
