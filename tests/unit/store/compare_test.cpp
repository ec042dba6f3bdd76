// What differs between artifacts, how little is read to find it, and a part of an artifact as an archive.
#include "store/compare.hpp"

#include "archive/unpack.hpp"
#include "store/fixture.hpp"
#include "store/pack_tree.hpp"

namespace kist::store {
namespace {

class Compare : public StoreTest {
 protected:
  std::vector<std::string> differences(const Saved& before, const Saved& after, const std::string& old_path = "",
                                       const std::string& new_path = "") {
    std::vector<std::string> found;
    auto compared = compare({store_->chunks(), before.id, old_path}, {store_->chunks(), after.id, new_path},
                            [&](const Difference& one) -> Result<bool> {
                              std::string what = one.before == nullptr ? "A" : one.after == nullptr ? "D" : "";
                              if (one.type) what += 't';
                              if (one.mode) what += 'm';
                              if (one.content) what += 'c';
                              if (one.target) what += 'l';
                              found.push_back(what + " " + one.path);
                              return true;
                            });
    EXPECT_TRUE(compared) << compared.error().text;
    return found;
  }
};

// Passes on to another source and counts.
class Counting : public ChunkSource {
 public:
  explicit Counting(ChunkSource& source) : source_(source) {}
  Status read(const Digest& id, Bytes& out) override {
    ++reads;
    return source_.read(id, out);
  }
  std::size_t reads = 0;

 private:
  ChunkSource& source_;
};

TEST_F(Compare, TellsEachKindOfDifferenceAndNoOther) {
  const fs::path tree = path("work/tree");
  fs::create_directories(tree / "a/b");
  write(tree / "a/b/kept", "same");
  write(tree / "a/b/edited", "old");
  write(tree / "a-b", "between a and a/b");
  write(tree / "mode", "x");
  write(tree / "gone", "x");
  write(tree / "kind", "x");
  write(tree / "large", noise(3 << 20, 1));
  fs::create_symlink("here", tree / "link");
  const Saved before = save(tree);

  write(tree / "a/b/edited", "new");
  write(tree / "added", "x");
  fs::permissions(tree / "mode", fs::perms(0755));
  fs::remove(tree / "gone");
  fs::remove(tree / "kind");
  fs::create_directory(tree / "kind");
  fs::remove(tree / "link");
  fs::create_symlink("there", tree / "link");
  std::string large = noise(3 << 20, 1);
  large[2 << 20] ^= 1;
  write(tree / "large", large);
  set_time(tree / "a/b/kept", 1);
  const Saved after = save(tree);

  EXPECT_EQ(differences(before, after),
            (std::vector<std::string>{"c a/b/edited", "A added", "D gone", "t kind", "c large", "l link", "m mode"}));
  EXPECT_TRUE(differences(before, before).empty());
  EXPECT_EQ(differences(before, after, "a", "a"), std::vector<std::string>{"c b/edited"});
  EXPECT_EQ(differences(before, after, "a/b/kept", "a/b/edited"), std::vector<std::string>{"c "});
}

TEST_F(Compare, ReadsOnlyTheBlocksThatDiffer) {
  const fs::path tree = path("work/tree");
  fs::create_directories(tree);
  for (int i = 0; i < 20'000; ++i) write(tree / fmt::format("file-{:05}", i), fmt::format("{}", i));
  const Saved before = save(tree);
  write(tree / "file-12345", "another");
  fs::remove(tree / "file-00042");
  write(tree / "file-19999-more", "at the end");
  const Saved after = save(tree);

  Counting old_chunks(store_->chunks());
  Counting new_chunks(store_->chunks());
  std::vector<std::string> found;
  ASSERT_OK(
      compare({old_chunks, before.id, ""}, {new_chunks, after.id, ""}, [&](const Difference& one) -> Result<bool> {
        found.push_back(one.path);
        return true;
      }));
  EXPECT_EQ(found, (std::vector<std::string>{"file-00042", "file-12345", "file-19999-more"}));
  // Root, times, the first block and those around three changes, with a block of times each; there are 50 blocks.
  EXPECT_LT(old_chunks.reads, 20U);
  EXPECT_LT(new_chunks.reads, 20U);
}

TEST_F(Compare, APartBecomesAnArchive) {
  const fs::path tree = path("work/tree");
  fs::create_directories(tree / "in/deep");
  write(tree / "in/deep/file", "hello\n");
  write(tree / "in/" / std::string(200, 'n'), "long");
  write(tree / "in/not\xff utf8", "bytes");
  write(tree / "in/large", prose(700'000) + noise(300'000, 3));
  fs::create_symlink("deep/file", tree / "in/link");
  fs::permissions(tree / "in/deep", fs::perms(0750));
  set_time(tree / "in/deep/file", 1'000'000'000, 5);
  write(tree / "outside", "not packed");
  const Saved saved = save(tree);

  for (const char* kind : {"tar", "tar.gz", "tar.zst", "zip"}) {
    const fs::path file = path(fmt::format("work/packed.{}", kind));
    std::ofstream out(file, std::ios::binary);
    const archive::Sink sink = [&](std::span<const std::byte> bytes) -> Status {
      out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
      return {};
    };
    const std::string_view name = kind;
    Result<std::unique_ptr<archive::Writer>> writer = name == "tar"       ? archive::make_tar_writer(sink)
                                                      : name == "tar.gz"  ? archive::make_tar_gzip_writer(sink)
                                                      : name == "tar.zst" ? archive::make_tar_zstd_writer(sink)
                                                                          : archive::make_zip_writer(sink);
    ASSERT_OK(writer);
    ASSERT_OK(pack_tree({store_->chunks(), saved.id, "in"}, "top", **writer));
    ASSERT_OK((*writer)->finish());
    out.close();
    const fs::path back = path(fmt::format("work/back-{}", kind));
    ASSERT_OK(archive::unpack(file, back));
    EXPECT_EQ(picture(tree / "in", name != "zip"), picture(back / "top", name != "zip")) << kind;
  }
}

}  // namespace
}  // namespace kist::store
