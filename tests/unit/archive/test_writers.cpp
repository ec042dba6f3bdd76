#include <random>

#include <gmock/gmock.h>

#include "archive/archive_test.hpp"
#include "archive/deflate.hpp"

namespace kist::archive {
namespace {

using testing::HasSubstr;

namespace fs = std::filesystem;

// Runs and noise: what compresses, what does not, and more than any buffer holds.
std::string mixed(std::size_t size, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::string text;
  while (text.size() < size) {
    if (random() % 2 == 0)
      text.append(random() % 100'000, static_cast<char>(random()));
    else
      for (std::size_t i = random() % 100'000; i > 0; --i) text += static_cast<char>(random());
  }
  text.resize(size);
  return text;
}

// A tree with everything an artifact may hold.
void add_everything(Writer& writer, const std::string& top, bool fractions) {
  Time time = time_of(1'700'000'000, fractions ? 123'456'789 : 0);
  ASSERT_TRUE(writer.add_directory({top, 0750, time}));
  add_file(writer, top + "/empty", "", 0600, time);
  add_file(writer, top + "/text", "hello\n", 0755, time);
  add_file(writer, top + "/large", mixed(3'000'000), 0444, time);
  add_file(writer, top + "/é \n*", "odd name", 0644, time);
  add_file(writer, top + "/" + std::string(200, 'n'), "long name", 0644, time);
  ASSERT_TRUE(writer.add_directory({top + "/nothing", 0555, time}));
  ASSERT_TRUE(writer.add_link({top + "/link", 0777, time}, "text"));
  ASSERT_TRUE(writer.add_link({top + "/nothing-there", 0777, time}, std::string(150, 'x')));
  std::string deep = top;
  for (int i = 0; i < 12; ++i) {
    deep += "/" + std::string(60, static_cast<char>('a' + i));
    ASSERT_TRUE(writer.add_directory({deep, 0755, time}));
  }
  add_file(writer, deep + "/f", "deep", 0644, time);
  ASSERT_TRUE(writer.add_link({deep + "/up", 0777, time}, "../f"));
  ASSERT_TRUE(writer.finish());
}
constexpr std::size_t kEverything = 9 + 12 + 2;

struct Writers : ArchiveTest {
  static std::string packed(std::string_view format, bool fractions) {
    std::string bytes;
    auto writer = format == "tar"   ? make_tar_writer(into(bytes))
                  : format == "tgz" ? make_tar_gzip_writer(into(bytes)).value()
                                    : make_zip_writer(into(bytes)).value();
    add_everything(*writer, "top", fractions);
    return bytes;
  }
  // The same tree as tar, the program, leaves it.
  std::string by_tar(bool fractions) {
    std::string name = fmt::format("by-tar-{}", fractions);
    if (!fs::exists(at(name))) {
      write(name + ".tar", packed("tar", fractions));
      fs::create_directory(at(name));
      run({"tar", "-xpf", name + ".tar", "-C", name});
    }
    return tree_text(at(name) / "top");
  }
};

TEST_F(Writers, GzipIsReadByGzip) {
  for (Level level : {-1, 0, 1, 2, 5, 9}) {
    std::string content = mixed(3'000'000, static_cast<unsigned>(level + 2));
    std::string bytes;
    auto gzip = GzipWriter::make(into(bytes), level);
    ASSERT_TRUE(gzip);
    for (std::size_t i = 0; i < content.size(); i += 70'001)
      ASSERT_TRUE(gzip->write(bytes_of(std::string_view(content).substr(i, 70'001))));
    ASSERT_TRUE(gzip->finish());
    write("f.gz", bytes);
    EXPECT_EQ(run({"gzip", "-dc", "f.gz"}), content) << level;
    EXPECT_EQ(bytes.size() > content.size(), level == 0) << level;
  }
  std::string nothing;
  ASSERT_TRUE(GzipWriter::make(into(nothing))->finish());
  write("nothing.gz", nothing);
  EXPECT_EQ(run({"gzip", "-dc", "nothing.gz"}), "");
  EXPECT_EQ(GzipWriter::make(into(nothing), 10).error().kind, ErrorKind::invalid);
}

TEST_F(Writers, TarIsReadByTar) {
  std::string tree = by_tar(true);
  for (const char* line :
       {". dir 750 1700000000.123456789", "empty file 600 1700000000.123456789",
        "text file 755 1700000000.123456789 hello\n", "large file 444 1700000000.123456789 3000000 bytes",
        "é \n* file 644", "nothing dir 555", "link link 1700000000.123456789 text", "/up link"})
    EXPECT_THAT(tree, HasSubstr(line));
  write("a.tgz", packed("tgz", true));
  fs::create_directory(at("out"));
  run({"tar", "-xpzf", "a.tgz", "-C", "out"});
  EXPECT_EQ(tree_text(at("out/top")), tree);
}

TEST_F(Writers, ZipIsReadByUnzip) {
  write("a.zip", packed("zip", false));
  EXPECT_THAT(run({"unzip", "-tq", "a.zip"}), HasSubstr("No errors"));
  run({"unzip", "-q", "a.zip", "-d", "out"});
  std::string tree = tree_text(at("out/top"));
  // unzip replaces the line break in a name, and leaves the times of links alone; the rest is exact.
  for (const char* line : {". dir 750 1700000000.0", "empty file 600 1700000000.0", "nothing dir 555 1700000000.0",
                           "text file 755 1700000000.000000000 hello\n", "large file 444 1700000000.0"})
    EXPECT_THAT(tree, HasSubstr(line));
  EXPECT_EQ(fs::read_symlink(at("out/top/link")), "text");
  EXPECT_EQ(read_file(at("out/top/large")).value(), mixed(3'000'000));
}

TEST_F(Writers, WhatIsPackedUnpacksTheSame) {
  for (std::string format : {"tar", "tgz", "zip"}) {
    bool fractions = format != "zip";
    std::string bytes = packed(format, fractions);
    auto unpacked = unpack(bytes_of(bytes), format, at(format));
    ASSERT_TRUE(unpacked) << unpacked.error().text;
    EXPECT_THAT(unpacked->notices, testing::IsEmpty());
    EXPECT_EQ(unpacked->entries, kEverything);
    EXPECT_EQ(tree_text(at(format) / "top"), by_tar(fractions)) << format;
    EXPECT_EQ(packed(format, fractions), bytes) << "not the same bytes twice";
  }
}

TEST_F(Writers, NamesNeedNotBeUtf8) {
  std::string bytes;
  auto tar = make_tar_writer(into(bytes));
  std::string long_name = "\xff\xfe" + std::string(180, 'b');
  add_file(*tar, "\xff-short", "1");
  add_file(*tar, long_name, "2");
  ASSERT_TRUE(tar->add_link({"link", 0777, time_of(1)}, std::string(120, '\xee')));
  ASSERT_TRUE(tar->finish());
  write("raw.tar", bytes);
  fs::create_directory(at("out"));
  run({"tar", "-xf", "raw.tar", "-C", "out"});
  auto unpacked = unpack(at("raw.tar"), at("own"));
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  for (const char* out : {"out", "own"}) {
    EXPECT_EQ(read_file(at(out) / "\xff-short").value_or("missing"), "1") << out;
    EXPECT_EQ(read_file(at(out) / long_name).value_or("missing"), "2") << out;
    EXPECT_EQ(fs::read_symlink(at(out) / "link").string(), std::string(120, '\xee')) << out;
  }
}

TEST_F(Writers, TimesBeyondUstarGoIntoPax) {
  std::string bytes;
  auto tar = make_tar_writer(into(bytes));
  for (auto [name, time] : {std::pair("before", time_of(-1, 500'000'000)), std::pair("early", time_of(-1'000'000'000)),
                            std::pair("fine", time_of(5, 100)), std::pair("none", Time())})
    add_file(*tar, name, "x", 0644, time);
  ASSERT_TRUE(tar->finish());
  EXPECT_THAT(bytes, HasSubstr("mtime=-0.5\n"));
  EXPECT_THAT(bytes, HasSubstr("mtime=-1000000000\n"));
  EXPECT_THAT(bytes, HasSubstr("mtime=5.0000001\n"));
  write("t.tar", bytes);
  fs::create_directory(at("out"));
  run({"tar", "-xf", "t.tar", "-C", "out"});
  EXPECT_EQ(tree_text(at("out/fine")), ". file 644 5.000000100 x");
  EXPECT_EQ(tree_text(at("out/before")), ". file 644 -1.500000000 x");
  ASSERT_TRUE(unpack(at("t.tar"), at("own")));
  // Not "before": libarchive 3.6 reads the fraction of a time before 1970 with the wrong sign.
  for (const char* name : {"early", "fine", "none"})
    EXPECT_EQ(tree_text(at("own") / name), tree_text(at("out") / name)) << name;
}

TEST_F(Writers, LargeFilesHaveLargeSizes) {
  std::string head;
  auto tar = make_tar_writer(into(head));
  ASSERT_TRUE(tar->add_file({"large", 0644, time_of(1)}, 9ULL << 30));
  EXPECT_THAT(head, HasSubstr("19 size=9663676416\n"));

  FileDescriptor file = open_file(at("large.zip"), O_WRONLY | O_CREAT | O_TRUNC).value();
  auto zip =
      make_zip_writer([&](std::span<const std::byte> more) { return write_all(file.get(), more, "zip"); }, 1).value();
  constexpr std::uint64_t size = (4ULL << 30) + 1;
  std::string zeros(1 << 24, '\0');
  ASSERT_TRUE(zip->add_file({"large", 0644, time_of(1)}, size));
  for (std::uint64_t done = 0; done + 1 < size; done += zeros.size()) ASSERT_TRUE(zip->write(bytes_of(zeros)));
  ASSERT_TRUE(zip->write(bytes_of("x")));
  add_file(*zip, "small", "s");
  ASSERT_TRUE(zip->finish());
  EXPECT_THAT(run({"unzip", "-Zl", "large.zip"}), HasSubstr("4294967297"));
  EXPECT_EQ(run({"unzip", "-p", "large.zip", "small"}), "s");
}

TEST_F(Writers, ManyEntriesNeedZip64) {
  std::string bytes;
  auto zip = make_zip_writer(into(bytes)).value();
  for (int i = 0; i < 70'000; ++i) ASSERT_TRUE(zip->add_file({std::to_string(i), 0644, time_of(1)}, 0));
  ASSERT_TRUE(zip->finish());
  write("many.zip", bytes);
  EXPECT_THAT(run({"unzip", "-Zt", "many.zip"}), HasSubstr("70000 files"));
}

TEST_F(Writers, ContentThatIsNotAsLongAsSaidIsAnError) {
  std::string bytes;
  for (bool tar : {true, false}) {
    auto make = [&] { return tar ? make_tar_writer(into(bytes)) : make_zip_writer(into(bytes)).value(); };
    auto shorter = make();
    ASSERT_TRUE(shorter->add_file({"f", 0644, {}}, 10));
    ASSERT_TRUE(shorter->write(bytes_of("12345")));
    EXPECT_THAT(shorter->finish().error().text, HasSubstr("f: 5 of its 10 bytes are missing"));
    auto longer = make();
    ASSERT_TRUE(longer->add_file({"f", 0644, {}}, 3));
    EXPECT_THAT(longer->write(bytes_of("12345")).error().text, HasSubstr("f: it grew beyond 3 bytes"));
  }
}

TEST_F(Writers, TheSinksErrorComesBack) {
  auto full = [](std::span<const std::byte>) -> Status { return fail(ErrorKind::no_space, "the disk is full"); };
  // Compression is done meanwhile, so it may come at the end only.
  auto tar = make_tar_gzip_writer(full).value();
  (void)tar->add_directory({"d", 0755, {}});
  EXPECT_EQ(tar->finish().error().kind, ErrorKind::no_space);
  EXPECT_EQ(make_zip_writer(full).value()->add_directory({"d", 0755, {}}).error().kind, ErrorKind::no_space);
}

}  // namespace
}  // namespace kist::archive
