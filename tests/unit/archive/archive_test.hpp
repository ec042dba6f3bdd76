// What the archive tests share: a scratch directory, archives in memory, and a tree as text.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <span>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "archive/unpack.hpp"
#include "archive/writer.hpp"
#include "base/file.hpp"
#include "base/process.hpp"

namespace kist::archive {

struct ArchiveTest : testing::Test {
  ScratchDirectory scratch = ScratchDirectory::make(std::filesystem::temp_directory_path(), "kist-archive-").value();
  std::filesystem::path at(std::string_view name) const { return scratch.path() / name; }

  // Runs a program in the scratch directory; its output.
  std::string run(std::vector<std::string> arguments) const {
    ProcessRequest request;
    request.arguments = std::move(arguments);
    request.directory = scratch.path();
    auto result = run_process(request);
    EXPECT_TRUE(result && result->exit_code == 0)
        << (result ? result->error_output + result->output : result.error().text);
    return result ? result->output : "";
  }
  void write(std::string_view name, std::string_view text) const { std::ofstream(at(name)) << text; }
};

inline Time time_of(std::int64_t seconds, std::int64_t nanoseconds = 0) {
  return Time(std::chrono::seconds(seconds) + std::chrono::nanoseconds(nanoseconds));
}

inline Sink into(std::string& bytes) {
  return [&bytes](std::span<const std::byte> more) -> Status {
    bytes.append(reinterpret_cast<const char*>(more.data()), more.size());
    return {};
  };
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

inline void add_file(Writer& writer, const std::string& path, std::string_view content, std::uint32_t mode = 0644,
                     Time modified = time_of(1'000'000'000)) {
  ASSERT_TRUE(writer.add_file({path, mode, modified}, content.size()));
  ASSERT_TRUE(writer.write(bytes_of(content)));
}

// One line an entry: "path type mode seconds.nanoseconds content".
inline std::string tree_text(const std::filesystem::path& top, bool fractions = true) {
  namespace fs = std::filesystem;
  std::vector<std::string> lines;
  auto describe = [&](const fs::path& path) {
    struct stat status{};
    EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
    std::string content = S_ISLNK(status.st_mode)   ? fs::read_symlink(path).string()
                          : S_ISREG(status.st_mode) ? read_file(path).value()
                                                    : "";
    if (content.size() > 200)
      content = fmt::format("{} bytes, {:x}", content.size(), std::hash<std::string>()(content));
    std::string kind = S_ISLNK(status.st_mode)   ? "link"
                       : S_ISDIR(status.st_mode) ? fmt::format("dir {:o}", status.st_mode & 07777)
                                                 : fmt::format("file {:o}", status.st_mode & 07777);
    lines.push_back(fmt::format("{} {} {}.{:09} {}", path.lexically_relative(top).string(), kind, status.st_mtim.tv_sec,
                                fractions ? status.st_mtim.tv_nsec : 0, content));
  };
  describe(top);
  if (fs::is_directory(fs::symlink_status(top)))
    for (const auto& entry : fs::recursive_directory_iterator(top)) describe(entry.path());
  std::sort(lines.begin(), lines.end());
  return fmt::format("{}", fmt::join(lines, "\n"));
}

}  // namespace kist::archive
