// Where chunks lie, when several index files become one.
#include "store/index.hpp"

#include <set>

#include "store/chunks.hpp"
#include "store/fixture.hpp"

namespace kist::store {
namespace {

class IndexTest : public StoreTest {};

TEST_F(IndexTest, AMergeKeepsThePlaceThatStays) {
  auto directory = StoreDirectory::open(home());
  ASSERT_OK(directory);
  Lease lease(*directory);
  const Digest in_both = sha256("both");
  const Digest in_gone = sha256("gone alone");
  const Container gone{Container::Kind::pack, sha256("gone"), 1000};
  const Container stands{Container::Kind::pack, sha256("stands"), 6};
  write(home() / stands.path(), "stands");
  auto store_index = [&](const Container& container, std::vector<IndexRecord> rows) {
    auto file = TemporaryFile::create(*directory, lease);
    EXPECT_TRUE(file);
    IndexSource source = source_of({container}, std::move(rows));
    auto name = write_index(*file, std::span(&source, 1));
    EXPECT_TRUE(name);
    EXPECT_TRUE(file->move_to("index/" + *name));
    return *IndexFile::open(*directory, *name);
  };
  auto first = store_index(gone, {{in_both, 0, 100, 10, 10}, {in_gone, 0, 110, 10, 10}});
  auto second = store_index(stands, {{in_both, 0, 3, 2, 2}});

  for (bool turned : {false, true}) {
    std::vector<IndexSource> sources = {source_of(*directory, turned ? second : first),
                                        source_of(*directory, turned ? first : second)};
    auto file = TemporaryFile::create(*directory, lease);
    ASSERT_OK(file);
    auto name = write_index(*file, sources);
    ASSERT_OK(name);
    ASSERT_OK(file->move_to("index/" + *name));
    auto merged = IndexFile::open(*directory, *name);
    ASSERT_OK(merged);
    EXPECT_EQ((*merged)->records(), 2U);
    EXPECT_EQ((*merged)->find(in_both)->offset, 3U) << "turned: " << turned;
    EXPECT_EQ((*merged)->find(in_gone)->offset, 110U) << "nobody else has it";
  }
}

// That a chunk was looked for everywhere is remembered, but not beyond the next container that comes.
TEST_F(IndexTest, WhatComesAfterALookIsFound) {
  auto put = [&](std::string_view text) {
    auto transaction = store_->begin();
    EXPECT_TRUE(transaction);
    auto object = (*transaction)->put_object(text);
    EXPECT_TRUE(object);
    EXPECT_TRUE((*transaction)->commit());
    return object.value_or(Digest{});
  };
  put("first");
  auto directory = StoreDirectory::open(home());
  ASSERT_OK(directory);
  Lease lease(*directory);
  auto chunks = Chunks::open(*directory, lease);
  ASSERT_OK(chunks);
  Bytes bytes;
  ::usleep(2'200'000);  // so that the times of directories count
  for (int i = 0; i < 2; ++i) EXPECT_ERROR((*chunks)->read(sha256("nowhere"), bytes), ErrorKind::not_found);
  for (std::string_view text : {"second", "third"}) {
    const std::set<fs::path> before(fs::directory_iterator(home() / "index"), fs::directory_iterator());
    const Digest object = put(text);
    for (const auto& entry : fs::directory_iterator(home() / "index"))
      if (!before.contains(entry.path())) fs::remove(entry.path());  // as if its process had died before it wrote it
    ASSERT_OK((*chunks)->read(object, bytes));
    EXPECT_EQ(text_of(bytes), text);
    EXPECT_ERROR((*chunks)->read(sha256("nowhere"), bytes), ErrorKind::not_found);
  }
}

}  // namespace
}  // namespace kist::store
