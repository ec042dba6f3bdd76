#include <gmock/gmock.h>

#include "archive/archive_test.hpp"

namespace kist::archive {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

namespace fs = std::filesystem;

// A tar in memory with the entries that `build` adds.
template <typename Build>
std::string tar_of(Build build) {
  std::string bytes;
  auto writer = make_tar_writer(into(bytes));
  build(*writer);
  EXPECT_TRUE(writer->finish());
  return bytes;
}

// Makes the tar's entry at `offset` one of another type, with another link target.
void change_type(std::string& tar, std::size_t offset, char type, std::string_view target = {}) {
  tar[offset + 156] = type;
  std::fill_n(tar.begin() + static_cast<std::ptrdiff_t>(offset) + 157, 100, '\0');
  target.copy(&tar[offset + 157], 100);
  std::fill_n(tar.begin() + static_cast<std::ptrdiff_t>(offset) + 148, 8, ' ');
  unsigned sum = 0;
  for (std::size_t i = 0; i < 512; ++i) sum += static_cast<unsigned char>(tar[offset + i]);
  fmt::format("{:06o}", sum).copy(&tar[offset + 148], 6);
  tar[offset + 154] = '\0';
}

struct Unpacking : ArchiveTest {
  int count = 0;
  Unpacking() { fs::create_directories(at("inner")); }
  // A directory that is not there yet, two below the scratch directory.
  fs::path target() { return at(fmt::format("inner/out{}", count++)); }

  std::string error_of(std::string_view archive) {
    auto unpacked = unpack(bytes_of(archive), "a.tar", target());
    if (unpacked) return "no error";
    EXPECT_EQ(unpacked.error().kind, ErrorKind::invalid);
    return unpacked.error().text;
  }
};

TEST_F(Unpacking, ReadsWhatOthersWrite) {
  fs::create_directories(at("tree/sub/empty"));
  write("tree/text", std::string(100'000, 'a') + "end");
  write("tree/sub/script", "#!/bin/sh\n");
  fs::create_symlink("../text", at("tree/sub/link"));
  run({"sh", "-c",
       "chmod 0750 tree/sub/script; chmod 1755 tree/sub; chmod 0555 tree/sub/empty; ln tree/text tree/twice; "
       "find tree -exec touch -h -d '2001-02-03 04:05:06.789 UTC' {} +"});
  for (std::string command : {"tar -cf a tree", "tar --format=posix -czf a tree", "tar --format=v7 -cf a tree",
                              "tar -cJf a tree", "tar -cjf a tree", "zip -qry a.zip tree; mv a.zip a"}) {
    fs::remove(at("a"));
    run({"sh", "-c", command});
    fs::path out = target();
    auto unpacked = unpack(at("a"), out);
    ASSERT_TRUE(unpacked) << command << ": " << unpacked.error().text;
    EXPECT_THAT(unpacked->notices, IsEmpty());
    EXPECT_EQ(unpacked->top, "tree");
    bool fractions = command.contains("posix");
    EXPECT_EQ(tree_text(out / "tree", fractions), tree_text(at("tree"), fractions)) << command;
    struct stat status{};
    ASSERT_EQ(::stat((out / "tree/twice").c_str(), &status), 0);
    EXPECT_EQ(status.st_nlink, command.contains("zip") ? 1u : 2u) << command;
  }
}

TEST_F(Unpacking, NothingIsWrittenOutside) {
  for (const char* path : {"../evil", "/tmp/kist-evil", "a/../../evil", "..", "a/../../inner/../evil"})
    EXPECT_THAT(error_of(tar_of([&](Writer& tar) { add_file(tar, path, "x"); })), HasSubstr("illegal file path: "))
        << path;
  EXPECT_FALSE(fs::exists(at("inner/evil")) || fs::exists(at("evil")) || fs::exists("/tmp/kist-evil"));
  // What only looks like it is fine.
  fs::path out = target();
  std::string fine = tar_of([&](Writer& tar) {
    add_file(tar, "./a/../b/..c", "x");
    add_file(tar, "a//b/./c", "y");
  });
  ASSERT_TRUE(unpack(bytes_of(fine), "a.tar", out));
  EXPECT_EQ(read_file(out / "b/..c").value(), "x");
  EXPECT_EQ(read_file(out / "a/b/c").value(), "y");
}

TEST_F(Unpacking, LinksMayNotLeadOut) {
  for (auto [path, link] : {std::pair("l", "/etc/passwd"), std::pair("l", ".."), std::pair("l", "../x"),
                            std::pair("d/l", "../../x"), std::pair("l", "a/../../x"), std::pair("l", "")})
    EXPECT_THAT(error_of(tar_of([&](Writer& tar) { (void)tar.add_link({path, 0777, {}}, link); })),
                HasSubstr("illegal symlink target: "))
        << path << " -> " << link;
  // Inside by the letter, outside by the links on the way.
  EXPECT_THAT(error_of(tar_of([&](Writer& tar) {
                (void)tar.add_link({"here", 0777, {}}, ".");
                (void)tar.add_link({"l", 0777, {}}, "here/here/here/../../..");
              })),
              HasSubstr("illegal symlink target: "));
  // Not there yet: what is put there later could make it lead out.
  EXPECT_THAT(error_of(tar_of([&](Writer& tar) { (void)tar.add_link({"l", 0777, {}}, "later/.."); })),
              HasSubstr("illegal symlink target: "));
  fs::path out = target();
  std::string fine = tar_of([&](Writer& tar) {
    (void)tar.add_link({"d/up", 0777, {}}, "../file");
    (void)tar.add_link({"d/round", 0777, {}}, "../d/../file");
    (void)tar.add_link({"dangling", 0777, {}}, "not/there");
    add_file(tar, "file", "x");
  });
  auto unpacked = unpack(bytes_of(fine), "a.tar", out);
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  EXPECT_EQ(read_file(out / "d/round").value(), "x");
}

TEST_F(Unpacking, NothingIsWrittenThroughALink) {
  fs::path out = target();
  fs::create_directories(out);
  fs::create_directory_symlink(at("inner"), out / "planted");
  EXPECT_THAT(
      unpack(bytes_of(tar_of([&](Writer& tar) { add_file(tar, "planted/evil", "x"); })), "a.tar", out).error().text,
      HasSubstr("planted is no directory"));
  EXPECT_FALSE(fs::exists(at("inner/evil")));
  EXPECT_THAT(error_of(tar_of([&](Writer& tar) {
                (void)tar.add_link({"l", 0777, {}}, "d");
                (void)tar.add_directory({"d", 0755, {}});
                add_file(tar, "l/f", "x");
              })),
              HasSubstr("l is no directory"));
  // A file with a link's name replaces the link.
  out = target();
  ASSERT_TRUE(unpack(bytes_of(tar_of([&](Writer& tar) {
                       add_file(tar, "file", "old");
                       (void)tar.add_link({"l", 0777, {}}, "file");
                       add_file(tar, "l", "new");
                     })),
                     "a.tar", out));
  EXPECT_EQ(read_file(out / "file").value(), "old");
  EXPECT_EQ(read_file(out / "l").value(), "new");
}

TEST_F(Unpacking, AnEntryReplacesWhatIsThere) {
  fs::path out = target();
  auto unpacked = unpack(bytes_of(tar_of([&](Writer& tar) {
                           add_file(tar, "a", "first");
                           add_file(tar, "a", "second");
                           (void)tar.add_directory({"b/c", 0700, {}});
                           (void)tar.add_directory({"b/c/e", 0700, {}});
                           add_file(tar, "b/c/e", "was a directory");
                           add_file(tar, "c", "was a file");
                           (void)tar.add_directory({"c", 0711, {}});
                           add_file(tar, "c/d", "x");
                         })),
                         "a.tar", out);
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  EXPECT_EQ(read_file(out / "a").value(), "second");
  EXPECT_EQ(read_file(out / "b/c/e").value(), "was a directory");
  EXPECT_EQ(read_file(out / "c/d").value(), "x");
  auto full = unpack(bytes_of(tar_of([&](Writer& tar) { add_file(tar, "c", "full"); })), "a.tar", out);
  EXPECT_EQ(full.error().kind, ErrorKind::conflict);
  EXPECT_THAT(full.error().text, HasSubstr("cannot replace"));
}

TEST_F(Unpacking, DevicesAreLeftOutWithANotice) {
  std::string tar = tar_of([&](Writer& writer) {
    for (const char* name : {"null", "pipe", "hard", "hard-to-later"}) add_file(writer, name, "");
    add_file(writer, "suid", "", 06755);
    add_file(writer, "last", "x");
  });
  change_type(tar, 0, '3');
  change_type(tar, 512, '6');
  change_type(tar, 2 * 512, '1', "not-there");
  change_type(tar, 3 * 512, '1', "last");
  fs::path out = target();
  auto unpacked = unpack(bytes_of(tar), "a.tar", out);
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  EXPECT_THAT(unpacked->notices,
              ElementsAre("null: left out: a device, socket or pipe", "pipe: left out: a device, socket or pipe",
                          "hard: left out: a hard link to not-there, which is no file in this archive",
                          "hard-to-later: left out: a hard link to last, which is no file in this archive",
                          "suid: unpacked without its set-user-id and set-group-id bits"));
  EXPECT_EQ(tree_text(out / "suid"), ". file 755 1000000000.000000000 ");
  EXPECT_FALSE(fs::exists(out / "null"));
  change_type(tar, 2 * 512, '1', "../../not-there");
  EXPECT_THAT(error_of(tar), HasSubstr("illegal file path: "));
}

// A hard link to a link would make that link anew somewhere else, where it leads elsewhere.
TEST_F(Unpacking, HardLinksAreToFilesOnly) {
  std::string tar = tar_of([&](Writer& writer) {
    (void)writer.add_link({"a/b/l", 0777, {}}, "../../f");
    add_file(writer, "copy", "");
    add_file(writer, "f", "x");
  });
  change_type(tar, 512, '1', "a/b/l");
  fs::path out = target();
  auto unpacked = unpack(bytes_of(tar), "a.tar", out);
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  EXPECT_EQ(unpacked->notices.size(), 1u);
  EXPECT_FALSE(fs::exists(fs::symlink_status(out / "copy")));
}

TEST_F(Unpacking, DirectoriesMayBeClosedToTheirOwner) {
  fs::path out = target();
  std::string tar = tar_of([&](Writer& writer) {
    (void)writer.add_directory({".", 0711, time_of(7)});
    (void)writer.add_directory({"d", 0000, time_of(8)});
    (void)writer.add_directory({"d/e", 0500, time_of(9)});
    add_file(writer, "d/e/f", "x", 0000);
    add_file(writer, "unsaid/f", "x");
  });
  auto unpacked = unpack(bytes_of(tar), "a.tar", out);
  ASSERT_TRUE(unpacked) << unpacked.error().text;
  struct stat status{};
  ASSERT_EQ(::stat(out.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0711u);
  EXPECT_EQ(status.st_mtim.tv_sec, 7);
  ASSERT_EQ(::stat((out / "d").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0u);
  EXPECT_EQ(status.st_mtim.tv_sec, 8);
  ASSERT_EQ(::stat((out / "unsaid").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0755u);
}

TEST_F(Unpacking, BombsAreErrors) {
  UnpackOptions options;
  options.most_entries = 3;
  std::string four = tar_of([&](Writer& tar) {
    for (const char* name : {"a", "b", "c", "d"}) add_file(tar, name, "");
  });
  EXPECT_THAT(unpack(bytes_of(four), "a.tar", target(), options).error().text, HasSubstr("more than 3 entries"));
  options = {};
  options.most_bytes = 1000;
  std::string large = tar_of([&](Writer& tar) {
    add_file(tar, "a", std::string(600, 'x'));
    add_file(tar, "b", std::string(600, 'x'));
  });
  EXPECT_THAT(unpack(bytes_of(large), "a.tar", target(), options).error().text, HasSubstr("more than 1000 bytes"));
  // Two gibibytes of nothing, sparse in a few kilobytes: refused before they are there.
  run({"sh", "-c", "truncate -s 2G hole; tar --sparse -cf sparse.tar hole; rm hole"});
  fs::path out = target();
  EXPECT_THAT(unpack(at("sparse.tar"), out).error().text, HasSubstr("attempt to fill the disk"));
  EXPECT_EQ(fs::file_size(out / "hole"), 0u);
  options = {};
  options.most_ratio = 1'000'000'000;
  ASSERT_TRUE(unpack(at("sparse.tar"), out, options));
  struct stat status{};
  ASSERT_EQ(::stat((out / "hole").c_str(), &status), 0);
  EXPECT_EQ(status.st_size, 2LL << 30);
  EXPECT_LT(status.st_blocks, 1000);
}

TEST_F(Unpacking, SaysWhatIsNoArchive) {
  EXPECT_THAT(error_of("just some text"), HasSubstr("a.tar: cannot be unpacked: "));
  EXPECT_THAT(error_of(""), HasSubstr("cannot be unpacked"));
  std::string bytes;
  auto tgz = make_tar_gzip_writer(into(bytes)).value();
  add_file(*tgz, "f", std::string(100'000, 'x') + "y");
  ASSERT_TRUE(tgz->finish());
  EXPECT_THAT(error_of(bytes.substr(0, bytes.size() - 1)), HasSubstr("cannot be unpacked: cut off in the middle"));
  std::string damaged = bytes;
  damaged[bytes.size() - 6] ^= 1;
  EXPECT_THAT(error_of(damaged), HasSubstr("its checksum does not fit"));
  // Several members and what follows them, as gzip reads them.
  write("a.tgz", bytes);
  run({"sh", "-c", "gzip -dc a.tgz | (head -c 50000 | gzip; gzip; printf 'more') > members.tgz"});
  EXPECT_TRUE(unpack(at("members.tgz"), target()));
  EXPECT_EQ(unpack(at("missing"), target()).error().kind, ErrorKind::not_found);
  UnpackOptions zip_only;
  zip_only.format = Format::zip;
  EXPECT_FALSE(unpack(bytes_of(bytes), "a.tgz", target(), zip_only));
  write("secret", "s");
  run({"zip", "-q", "-P", "word", "e.zip", "secret"});
  EXPECT_THAT(unpack(at("e.zip"), target()).error().text, HasSubstr("secret is encrypted"));
  // All of its files are there, but who says so?
  run({"sh", "-c", "zip -q z.zip secret; head -c -30 z.zip > short.zip"});
  EXPECT_TRUE(unpack(at("z.zip"), target()));
  EXPECT_THAT(unpack(at("short.zip"), target()).error().text, HasSubstr("cut off in the middle: the zip has no end"));
}

TEST_F(Unpacking, OneEntryBecomesTheTarget) {
  auto settled = [&](auto build) -> std::string {
    fs::path directory = at(fmt::format("inner/tmpdir{}", count));
    fs::path out = target();
    auto unpacked = unpack(bytes_of(tar_of(build)), "a.tar", directory);
    EXPECT_TRUE(unpacked) << unpacked.error().text;
    if (auto done = settle(*unpacked, directory, out); !done) return done.error().text;
    EXPECT_FALSE(fs::exists(directory));
    return tree_text(out);
  };
  EXPECT_EQ(settled([](Writer& tar) { add_file(tar, "name", "x", 0600, time_of(4)); }), ". file 600 4.000000000 x");
  EXPECT_EQ(settled([](Writer& tar) {
              (void)tar.add_directory({"name", 0555, time_of(5)});
              add_file(tar, "name/f", "x", 0644, time_of(4));
            }),
            ". dir 555 5.000000000 \nf file 644 4.000000000 x");
  EXPECT_EQ(settled([](Writer& tar) {
              add_file(tar, "a", "x", 0644, time_of(4));
              add_file(tar, "b", "y", 0644, time_of(4));
              (void)tar.add_directory({".", 0500, time_of(5)});
            }),
            ". dir 500 5.000000000 \na file 644 4.000000000 x\nb file 644 4.000000000 y");
  EXPECT_THAT(settled([](Writer&) {}), HasSubstr(". dir 755"));
  EXPECT_THAT(settled([](Writer& tar) {
                add_file(tar, "d/f", "x");
                (void)tar.add_link({"d/l", 0777, {}}, "../d/f");
              }),
              HasSubstr("illegal symlink target: d/l leads out of "));

  fs::create_directories(at("inner/full/f"));
  fs::path directory = at("inner/last");
  auto unpacked = unpack(bytes_of(tar_of([](Writer& tar) { add_file(tar, "f", "x"); })), "a.tar", directory);
  EXPECT_EQ(settle(*unpacked, directory, at("inner/full")).error().kind, ErrorKind::conflict);
  fs::create_directory(at("inner/empty"));
  ASSERT_TRUE(settle(*unpacked, directory, at("inner/empty")));
  EXPECT_EQ(read_file(at("inner/empty")).value(), "x");
}

TEST_F(Unpacking, OnlyATarInGzipIsUnpackedUnasked) {
  fs::create_directory(at("dir"));
  write("text", "text");
  run({"sh", "-c",
       "tar -czf t.tgz text; tar --format=posix -czf p.tgz text; tar --format=v7 -czf v.tgz text; tar -cf t.tar text; "
       "gzip -k text; zip -q t.zip text; tar -czf empty.tgz -T /dev/null; head -c 600 /dev/urandom | gzip > noise.gz"});
  for (const char* name : {"t.tgz", "p.tgz", "v.tgz"}) EXPECT_EQ(is_tar_gzip(at(name)), true) << name;
  for (const char* name : {"t.tar", "text.gz", "t.zip", "empty.tgz", "noise.gz", "text", "dir"})
    EXPECT_EQ(is_tar_gzip(at(name)), false) << name;
  EXPECT_EQ(is_tar_gzip(at("missing")).error().kind, ErrorKind::not_found);
  std::string own;
  auto writer = make_tar_gzip_writer(into(own), 0).value();
  add_file(*writer, std::string(300, 'n'), "x", 0644, time_of(1, 5));
  ASSERT_TRUE(writer->finish());
  EXPECT_TRUE(is_tar_gzip(bytes_of(own)));
}

}  // namespace
}  // namespace kist::archive
