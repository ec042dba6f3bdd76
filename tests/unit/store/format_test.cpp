// Holds the code against docs/format.md: each ```vector block of the page is read and compared with what kist writes.
#include <sstream>

#include "store/chunk_list.hpp"
#include "store/chunker.hpp"
#include "store/container_table.hpp"
#include "store/fixture.hpp"
#include "store/index.hpp"
#include "store/references.hpp"
#include "store/tree.hpp"

namespace kist::store {
namespace {

fs::path format_page() {
  for (fs::path directory = fs::current_path(); directory.has_relative_path(); directory = directory.parent_path())
    if (fs::exists(directory / "docs/format.md")) return directory / "docs/format.md";
  return {};
}

using Lines = std::vector<std::string>;

std::string hex(ByteSpan bytes) {
  std::string text;
  for (std::byte byte : bytes) text += fmt::format("{:02x}", std::to_integer<unsigned>(byte));
  return text;
}

// The lines of a block that are hexadecimal digits and nothing else, as one; and the line behind them.
std::pair<std::string, std::string> bytes_and_name(const Lines& lines) {
  std::string bytes;
  for (const std::string& line : lines) {
    if (line.find_first_not_of("0123456789abcdef") != std::string::npos) return {bytes, line};
    bytes += line;
  }
  return {bytes, ""};
}

class FormatTest : public StoreTest {
 protected:
  void SetUp() override {
    StoreTest::SetUp();
    fs::path page = format_page();
    ASSERT_FALSE(page.empty()) << "docs/format.md was not found above the working directory";
    std::ifstream file(page);
    std::string line;
    std::string name;
    while (std::getline(file, line)) {
      if (line.starts_with("```vector ")) {
        name = line.substr(10);
        EXPECT_FALSE(vectors_.contains(name)) << name;
        vectors_[name];
      } else if (line.starts_with("```")) {
        name.clear();
      } else if (!name.empty()) {
        vectors_[name].push_back(line);
      }
    }
  }

  // The block; it counts as held against the code.
  const Lines& vector(const std::string& name) {
    EXPECT_TRUE(vectors_.contains(name)) << "docs/format.md has no vector '" << name << "'";
    return vectors_[name];
  }

  Put put() {
    return [this](ByteSpan bytes) -> Result<Digest> {
      put_.emplace_back(bytes.begin(), bytes.end());
      return sha256(bytes);
    };
  }

  std::map<std::string, Lines> vectors_;
  std::vector<Bytes> put_;
};

const Digest kHello = sha256("hello\n");

TEST_F(FormatTest, EveryVectorIsHeldAgainstTheCode) {
  std::set<std::string> names;
  for (const auto& [name, lines] : vectors_) {
    names.insert(name);
    EXPECT_FALSE(lines.empty()) << name;
  }
  // One more on the page is one more test here.
  EXPECT_EQ(names, (std::set<std::string>{"attributes", "cuts", "file", "gear", "index", "links", "lz4", "pack",
                                          "references", "table", "times", "times-2", "tree"}));
}

TEST_F(FormatTest, Gear) {
  for (const std::string& line : vector("gear")) {
    std::istringstream words(line);
    std::size_t number = 0;
    std::string value;
    words >> number >> value;
    EXPECT_EQ(fmt::format("{:016x}", gear_table().at(number)), value) << number;
  }
}

TEST_F(FormatTest, Cuts) {
  std::string stream;
  for (int i = 0; stream.size() < 1'048'576; ++i) {
    Digest digest = sha256(std::to_string(i));
    stream.append(text_of(digest.value));
  }
  stream.resize(1'048'576);
  Lines cuts;
  FileContent content;
  for (ByteSpan rest = bytes_of(stream); !rest.empty();) {
    std::size_t length = first_chunk(rest);
    content.chunks.push_back({sha256(rest.first(length)), static_cast<std::uint32_t>(length)});
    cuts.push_back(std::to_string(length));
    rest = rest.subspan(length);
  }
  cuts.push_back("file id " + content.id().hex());
  EXPECT_EQ(cuts, vector("cuts"));

  // And as it is saved.
  write(path("work/stream"), stream);
  auto entry = store_->find(save(path("work/stream")).id, "");
  ASSERT_OK(entry);
  EXPECT_EQ(entry->file, content.id());
}

TEST_F(FormatTest, File) {
  FileContent hello;
  hello.chunks.push_back({kHello, 6});
  EXPECT_EQ(vector("file"), (Lines{"chunk      " + kHello.hex(), "file       " + hello.id().hex(),
                                   "empty file " + FileContent().id().hex()}));
}

TEST_F(FormatTest, TreeAndTimes) {
  TreeWriter tree(put());
  TreeEntry top;
  top.type = EntryType::directory;
  top.mode = 0755;
  ASSERT_OK(tree.add(top));
  TreeEntry link;
  link.path = "a";
  link.type = EntryType::link;
  link.mode = 0777;
  link.link_target = "b";
  link.modified = Time(std::chrono::nanoseconds(1'000'000'002));
  ASSERT_OK(tree.add(link));
  TreeEntry file;
  file.path = "ab";
  file.mode = 0644;
  file.content.size = 6;
  file.content.chunks.push_back({kHello, 6});
  file.modified = Time(std::chrono::nanoseconds(-1));
  ASSERT_OK(tree.add(file));
  auto saved = tree.finish();
  ASSERT_OK(saved);
  ASSERT_EQ(put_.size(), 2U);
  auto [tree_bytes, tree_name] = bytes_and_name(vector("tree"));
  EXPECT_EQ(hex(put_[0]), tree_bytes);
  EXPECT_EQ(saved->id.tree.to_string(), tree_name);
  auto [time_bytes, time_name] = bytes_and_name(vector("times"));
  EXPECT_EQ(hex(put_[1]), time_bytes);
  EXPECT_EQ(saved->id.times.to_string(), time_name);
}

TEST_F(FormatTest, TimesWithHardLinksAndAttributes) {
  TreeWriter tree(put());
  TreeEntry entry;
  entry.type = EntryType::directory;
  entry.extra.attributes = {{"user.note", "hi"}};
  ASSERT_OK(tree.add(entry));
  entry = {};
  entry.path = "a";
  entry.modified = Time(std::chrono::nanoseconds(1'000'000'002));
  ASSERT_OK(tree.add(entry));
  entry.path = "b";
  entry.modified = Time(std::chrono::nanoseconds(-1));
  entry.extra.same_as = 1;
  ASSERT_OK(tree.add(entry));
  auto saved = tree.finish();
  ASSERT_OK(saved);
  ASSERT_EQ(put_.size(), 4U);  // with the tree
  EXPECT_EQ(hex(put_[1]), bytes_and_name(vector("attributes")).first);
  EXPECT_EQ(hex(put_[2]), bytes_and_name(vector("links")).first);
  auto [bytes, name] = bytes_and_name(vector("times-2"));
  EXPECT_EQ(hex(put_[3]), bytes);
  EXPECT_EQ(saved->id.times.to_string(), name);

  Bytes later = put_[3];
  later[8] = std::byte{3};
  const auto refused = parse_times_root(later);
  EXPECT_ERROR(refused, ErrorKind::unsupported);
  EXPECT_NE(refused.error().text.find("format version 3"), std::string::npos) << refused.error().text;
}

TEST_F(FormatTest, FrameOfLz4) {
  Bytes frame;
  compress_frame(bytes_of(std::string(100, 'x')), Codec::lz4, frame);
  EXPECT_EQ(hex(frame), bytes_and_name(vector("lz4")).first);
  Bytes chunk;
  ASSERT_OK(decode_frame(frame, 100, chunk));
  EXPECT_EQ(text_of(chunk), std::string(100, 'x'));
}

TEST_F(FormatTest, Pack) {
  std::vector<PackRecord> records = {{kHello, 6, 6}, {sha256("kist"), 4, 4}};
  Bytes pack = pack_header(Codec::zstd);
  for (std::string_view frame : {"hello\n", "kist"})
    pack.insert(pack.end(), bytes_of(frame).begin(), bytes_of(frame).end());
  Bytes footer = pack_footer(records, Codec::zstd);
  pack.insert(pack.end(), footer.begin(), footer.end());
  auto [bytes, name] = bytes_and_name(vector("pack"));
  EXPECT_EQ(hex(pack), bytes);
  EXPECT_EQ((Container{Container::Kind::pack, pack_name(records, Codec::zstd), pack.size()}.path()), name);
  ASSERT_OK(parse_pack(ByteSpan(pack).first(kContainerHeaderSize), footer, pack.size()));
}

TEST_F(FormatTest, Table) {
  Bytes table = adopted_table_header();
  write_chunk_record(table, {kHello, 6});
  Checksum checksum;
  checksum.update(table);
  Bytes trailer = adopted_table_trailer(1, checksum.finish());
  table.insert(table.end(), trailer.begin(), trailer.end());
  EXPECT_EQ(hex(table), bytes_and_name(vector("table")).first);
  FileContent hello;
  hello.chunks.push_back({kHello, 6});
  const Container container{Container::Kind::adopted, hello.id(), 6};
  EXPECT_EQ(container.table_path(), bytes_and_name(vector("table")).second);
  write(home() / container.path(), "hello\n");
  write(home() / container.table_path(), text_of(table));
  auto directory = StoreDirectory::open(home());
  ASSERT_OK(directory);
  const auto read = ContainerTable::open(*directory, container.file());
  ASSERT_OK(read);
  EXPECT_EQ(read->container(), container);
  ASSERT_OK(read->each([&](const IndexRecord& frame) -> Status {
    EXPECT_EQ(frame.id, kHello);
    return {};
  }));
}

TEST_F(FormatTest, Index) {
  auto directory = StoreDirectory::open(home());
  ASSERT_OK(directory);
  Lease lease(*directory);
  auto file = TemporaryFile::create(*directory, lease);
  ASSERT_OK(file);
  Container pack{Container::Kind::pack, pack_name({{kHello, 6, 6}, {sha256("kist"), 4, 4}}, Codec::zstd), 138};
  IndexSource source = source_of({pack}, {{kHello, 0, 16, 6, 6}, {sha256("kist"), 0, 22, 4, 4}});
  auto name = write_index(*file, std::span(&source, 1));
  ASSERT_OK(name);
  auto [bytes, place] = bytes_and_name(vector("index"));
  EXPECT_EQ(hex(bytes_of(contents(home() / file->name()))), bytes);
  EXPECT_EQ("index/" + *name, place);
}

TEST_F(FormatTest, References) {
  for (const std::string& line : vector("references")) {
    auto two = line.find("  ");
    ASSERT_NE(two, std::string::npos) << line;
    std::string name = line.substr(0, two);
    std::string file = line.substr(line.find_first_not_of(' ', two));
    auto slash = name.find('/');
    auto kind = encode_reference_name(name.substr(0, slash));
    auto rest = encode_reference_name(name.substr(slash + 1));
    ASSERT_OK(kind);
    ASSERT_OK(rest);
    EXPECT_EQ(*kind + "/" + *rest, file);
    EXPECT_EQ(decode_reference_name(*rest), name.substr(slash + 1));
  }
}

}  // namespace
}  // namespace kist::store
