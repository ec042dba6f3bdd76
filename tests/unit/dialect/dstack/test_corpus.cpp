// Every dstack file that could be found: it is lowered, or refused by name; never a crash. KIST_CORPUS names the
// directory that holds dstack/.
#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include <gmock/gmock.h>

#include "base/file.hpp"
#include "dialect/dstack/lowered.hpp"

namespace kist::dialect::dstack {
namespace {

std::filesystem::path corpus() {
  const char* directory = std::getenv("KIST_CORPUS");
  return directory == nullptr ? std::filesystem::path() : std::filesystem::path(directory) / "dstack";
}

TEST(DstackCorpus, EveryFileIsLoweredOrRefusedByName) {
  if (!std::filesystem::is_directory(corpus())) GTEST_SKIP() << "KIST_CORPUS does not name the corpus of files";
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
      EXPECT_THAT(summaries.error().text, testing::HasSubstr(name + ":"));
      continue;
    }
    for (const auto& summary : *summaries) {
      request.workflow = summary.name;
      auto lowered = dialect().lower(request);
      if (lowered) {
        ++ran;
        EXPECT_FALSE(task_of(*lowered).actions.empty()) << name;
        continue;
      }
      ++refused;
      EXPECT_THAT(lowered.error().text, testing::HasSubstr(name + ":"));
      if (std::getenv("KIST_CORPUS_TELL") != nullptr) std::puts(lowered.error().text.c_str());
    }
  }
  RecordProperty("files", files);
  RecordProperty("lowered", ran);
  RecordProperty("refused", refused);
  EXPECT_GT(files, 200);
  EXPECT_GT(ran, 250);
}

}  // namespace
}  // namespace kist::dialect::dstack
