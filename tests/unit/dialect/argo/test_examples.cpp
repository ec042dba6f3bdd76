// The examples are read without a word, and begin with one line that tells what they show.
#include <filesystem>

#include "base/file.hpp"
#include "dialect/argo/lowered.hpp"

namespace kist::dialect::argo {
namespace {

namespace fs = std::filesystem;

TEST(ArgoExamples, AreReadWithoutAWord) {
  fs::path root = fs::current_path();
  while (root.has_relative_path() && !fs::exists(root / "examples/argo")) root = root.parent_path();
  if (!fs::exists(root / "examples/argo")) GTEST_SKIP() << "the examples are not beside a directory above this one";
  int read = 0;
  for (const char* folder : {"examples/argo", "examples/onepanel"}) {
    for (const auto& entry : fs::directory_iterator(root / folder)) {
      if (entry.path().extension() != ".yaml") continue;
      const std::string text = read_file(entry.path()).value();
      EXPECT_TRUE(text.starts_with("# ")) << entry.path();
      const model::Lowered all = lowered(text);
      EXPECT_TRUE(all.notices.empty()) << entry.path();
      ++read;
    }
  }
  EXPECT_GE(read, 10);
}

}  // namespace
}  // namespace kist::dialect::argo
