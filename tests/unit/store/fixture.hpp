// A fresh store and a fresh directory for sources and targets, both on the filesystem kist is built on (views and
// adoption need links), removed at the end.
#pragma once

#include <fstream>
#include <map>
#include <random>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "store/maintenance.hpp"
#include "store/store.hpp"

namespace kist::store {

namespace fs = std::filesystem;

#define ASSERT_OK(expression)                       \
  do {                                              \
    auto&& asserted = (expression);                 \
    ASSERT_TRUE(asserted) << asserted.error().text; \
  } while (false)
#define EXPECT_ERROR(expression, expected)                                                 \
  do {                                                                                     \
    auto&& result = (expression);                                                          \
    ASSERT_FALSE(result);                                                                  \
    EXPECT_EQ(to_string(result.error().kind), to_string(expected)) << result.error().text; \
  } while (false)

// Deterministic bytes that do not compress.
inline std::string noise(std::size_t size, unsigned seed) {
  std::string text(size, '\0');
  std::mt19937_64 random(seed);
  for (std::size_t i = 0; i < size; i += 8) {
    std::uint64_t number = random();
    std::memcpy(text.data() + i, &number, std::min<std::size_t>(8, size - i));
  }
  return text;
}

// Bytes that compress, and of which no two chunks are equal.
inline std::string prose(std::size_t size, unsigned seed = 0) {
  std::string text;
  for (unsigned line = 0; text.size() < size; ++line)
    text += fmt::format("line {} of the text number {}\n", line, seed);
  text.resize(size);
  return text;
}

inline void write(const fs::path& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file.write(text.data(), static_cast<std::streamsize>(text.size()));
  ASSERT_TRUE(file.good()) << path;
}

inline std::string contents(const fs::path& path) {
  auto text = read_file(path, 4ULL << 30);
  EXPECT_TRUE(text) << path;
  return text.value_or("");
}

inline struct stat status_of(const fs::path& path) {
  struct stat status{};
  EXPECT_EQ(::lstat(path.c_str(), &status), 0) << path;
  return status;
}

inline void set_time(const fs::path& path, std::int64_t seconds, long nanoseconds = 0) {
  timespec times[2] = {{seconds, nanoseconds}, {seconds, nanoseconds}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
}

// Everything that an artifact must keep of a tree, as text: to compare two.
inline std::map<std::string, std::string> picture(const fs::path& top, bool times = true) {
  std::map<std::string, std::string> entries;
  auto add = [&](const fs::path& path, const std::string& name) {
    struct stat status = status_of(path);
    std::string text = fmt::format("{:o}", status.st_mode);
    if (times) text += fmt::format(" {}.{:09}", status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
    if (S_ISLNK(status.st_mode)) text += " -> " + fs::read_symlink(path).string();
    if (S_ISREG(status.st_mode)) text += fmt::format(" {} {}", status.st_size, sha256(contents(path)).hex());
    entries[name] = text;
  };
  add(top, "");
  if (fs::is_directory(fs::symlink_status(top)))
    for (const auto& entry : fs::recursive_directory_iterator(top))
      add(entry.path(), entry.path().lexically_relative(top).string());
  return entries;
}

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = ScratchDirectory::make(parent(), "store-test-");
    ASSERT_OK(made);
    scratch_ = std::make_unique<ScratchDirectory>(std::move(*made));
    fs::create_directory(path("work"));
    reopen();
  }

  // Where the test works.
  virtual fs::path parent() const { return fs::current_path(); }

  fs::path path(std::string_view name) const { return scratch_->path() / name; }
  fs::path home() const { return path("store"); }

  void reopen() {
    store_.reset();
    auto opened = Store::open(home());
    ASSERT_OK(opened);
    store_ = std::move(*opened);
  }

  // Saves and commits.
  Saved save(const fs::path& source, const SaveOptions& options = {}) {
    auto transaction = store_->begin();
    EXPECT_TRUE(transaction) << transaction.error().text;
    auto saved = (*transaction)->save(source, options);
    EXPECT_TRUE(saved) << saved.error().text;
    auto committed = (*transaction)->commit();
    EXPECT_TRUE(committed) << committed.error().text;
    return saved.value_or(Saved{});
  }

  std::vector<std::string> paths(const ArtifactId& id, const ListOptions& options = {}) {
    std::vector<std::string> found;
    auto listed = store_->list(id, options, [&](const Entry& entry) {
      found.push_back(entry.path);
      return true;
    });
    EXPECT_TRUE(listed) << listed.error().text;
    return found;
  }

  Result<std::string> read(const ArtifactId& id, std::string_view name, std::uint64_t offset = 0,
                           std::uint64_t length = UINT64_MAX) {
    std::string text;
    KIST_TRY(store_->read(
        id, name,
        [&](std::span<const std::byte> bytes) -> Status {
          EXPECT_LE(bytes.size(), 256U << 10);
          text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
          return {};
        },
        offset, length));
    return text;
  }

  // What a check of all there is finds, when this artifact must be whole.
  std::vector<std::string> damage(const ArtifactId& id) {
    std::vector<std::string> found;
    auto maintenance = Maintenance::open(home());
    EXPECT_TRUE(maintenance) << maintenance.error().text;
    auto checked =
        (*maintenance)->check([&](const TakeRoot& take) { return take({"the artifact", id}); }, CheckOptions{});
    EXPECT_TRUE(checked) << checked.error().text;
    for (const Finding& finding : checked.value_or(Checked{}).findings)
      found.push_back(fmt::format("{}: {}", finding.place, finding.text));
    return found;
  }

  // All bytes below a directory of the store, links counted once.
  std::uint64_t stored_bytes(std::string_view directory = "containers") const {
    std::uint64_t bytes = 0;
    for (const auto& entry : fs::directory_iterator(home() / directory)) bytes += entry.file_size();
    return bytes;
  }

  std::size_t count(std::string_view directory) const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(home() / directory), fs::directory_iterator()));
  }

  std::unique_ptr<ScratchDirectory> scratch_;
  std::unique_ptr<Store> store_;
};

}  // namespace kist::store
