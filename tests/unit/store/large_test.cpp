// Memory does not grow with what is stored: an adopted file of as many chunks as one of 30 GB has is
// indexed, read, checked, collected and repaired in less than its rows alone would take.
#include <malloc.h>

#include "store/chunk_list.hpp"
#include "store/container_table.hpp"
#include "store/fixture.hpp"
#include "store/tree.hpp"

namespace kist::store {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kMemoryTells = false;  // a sanitizer keeps what was freed
#else
constexpr bool kMemoryTells = true;
#endif
constexpr std::uint32_t kChunks = 400'000;
constexpr std::uint64_t kMost = 56 << 20;

class LargeTest : public StoreTest {
 protected:
  // What the process had at most during `work`, beyond what it had before.
  template <typename Work>
  static void expect_little(std::string_view what, const Work& work) {
    auto kibibytes = [](std::string_view key) {
      const std::string text = read_file("/proc/self/status", 1 << 20).value_or("");
      const std::size_t at = text.find(key);
      return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + key.size() + 1, nullptr, 10);
    };
    std::ofstream("/proc/self/clear_refs") << "5";  // the peak begins anew
    const std::uint64_t before = kibibytes("VmRSS");
    work();
    EXPECT_LT((kibibytes("VmHWM") - before) << 10, kMost) << what;
  }

  // Puts a container into the store whose index nobody has written, and gives its content.
  FileContent adopt(Transaction& transaction) {
    std::string bytes;
    Bytes table = adopted_table_header();
    Sha256 name;
    ChunkListWriter list;
    const Put put = [&](ByteSpan piece) { return transaction.put_object(text_of(piece)); };
    for (std::uint64_t i = 0; i < kChunks; ++i) {
      const std::string chunk = fmt::format("{:07x}\n", i);
      const ChunkRecord record{sha256(chunk), static_cast<std::uint32_t>(chunk.size())};
      bytes += chunk;
      const std::size_t start = table.size();
      write_chunk_record(table, record);
      name.update(ByteSpan(table).subspan(start));
      EXPECT_TRUE(list.add(record, put));
    }
    Checksum checksum;
    checksum.update(table);
    const Bytes trailer = adopted_table_trailer(kChunks, checksum.finish());
    table.insert(table.end(), trailer.begin(), trailer.end());
    adopted_ = {Container::Kind::adopted, name.finish(), bytes.size()};
    write(home() / adopted_.path(), bytes);
    write(home() / adopted_.table_path(), text_of(table));
    return list.finish(put).value_or(FileContent{});
  }

  Checked check(bool repair) {
    auto maintenance = Maintenance::open(home());
    EXPECT_TRUE(maintenance) << maintenance.error().text;
    auto checked = (*maintenance)->check(roots(), {.repair = repair});
    EXPECT_TRUE(checked) << checked.error().text;
    return checked.value_or(Checked{});
  }

  Roots roots() {
    return [this](const TakeRoot& take) { return take({"the artifact", id_}); };
  }

  void expect_restored() {
    fs::remove(path("work/back"));
    ASSERT_OK(store_->restore(id_, "", path("work/back")));
    std::ifstream file(path("work/back"));
    std::uint32_t lines = 0;
    for (std::string line; std::getline(file, line); ++lines)
      if (line != fmt::format("{:07x}", lines)) break;
    EXPECT_EQ(lines, kChunks);
  }

  Container adopted_;
  ArtifactId id_;
};

TEST_F(LargeTest, MemoryDoesNotGrowWithAFilesChunks) {
  if (!kMemoryTells) GTEST_SKIP() << "a sanitizer keeps what was freed";
  {
    auto transaction = store_->begin();
    ASSERT_OK(transaction);
    TreeEntry entry;
    entry.mode = 0644;
    entry.content = adopt(**transaction);
    TreeWriter tree([&](ByteSpan bytes) { return (*transaction)->put_object(text_of(bytes)); });
    ASSERT_OK(tree.add(entry));
    auto saved = tree.finish();
    ASSERT_OK(saved);
    id_ = saved->id;
    ASSERT_OK((*transaction)->commit());
  }
  fs::remove_all(home() / "index");
  fs::create_directory(home() / "index");
  ::malloc_trim(0);
  expect_little("making the index anew", [&] { reopen(); });
  EXPECT_EQ(count("index"), 1U) << "all rows are in one file";
  expect_little("restoring", [&] { expect_restored(); });
  expect_little("checking", [&] {
    const Checked checked = check(false);
    EXPECT_GT(checked.chunks, kChunks);
    EXPECT_TRUE(checked.findings.empty());
  });
  expect_little("collecting", [&] {
    auto maintenance = Maintenance::open(home());
    ASSERT_OK(maintenance);
    auto collected = (*maintenance)->collect(roots(), {});
    ASSERT_OK(collected);
    EXPECT_EQ(collected->containers, 0U);
  });

  // The table is damaged, and so are the file's first chunks: the index tells what it holds.
  fs::resize_file(home() / adopted_.table_path(), 1000);
  std::fstream file(home() / adopted_.path(), std::ios::in | std::ios::out);
  file << "!!!!!!!\n!!!!!!!\n";
  file.close();
  expect_little("repairing", [&] {
    const Checked checked = check(true);
    ASSERT_EQ(checked.findings.size(), 2U);
    EXPECT_TRUE(checked.findings[0].repaired) << checked.findings[0].text;
    EXPECT_NE(checked.findings[0].text.find("2 of its 400000 chunks are damaged"), std::string::npos)
        << checked.findings[0].text;
    EXPECT_EQ(checked.findings[1].kind, Finding::Kind::artifact);
  });
  reopen();
  std::string end;
  const auto take = [&](std::span<const std::byte> bytes) -> Status {
    end.append(text_of(bytes));
    return {};
  };
  ASSERT_OK(store_->read(id_, "", take, 16, 8));
  ASSERT_OK(store_->read(id_, "", take, std::uint64_t{kChunks - 1} * 8, 8));
  EXPECT_EQ(end, fmt::format("{:07x}\n{:07x}\n", 2, kChunks - 1));
}

}  // namespace
}  // namespace kist::store
