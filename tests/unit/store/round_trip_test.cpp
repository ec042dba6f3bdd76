// What is saved is listed, read and restored as it was.
#include <algorithm>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "store/observers.hpp"

namespace kist::store {
namespace {

class RoundTrip : public StoreTest {};

TEST_F(RoundTrip, KeepsModesLinksTimesAndNamesOfAnyKind) {
  fs::path tree = path("work/tree");
  fs::create_directories(tree / "a/b");
  fs::create_directories(tree / "empty");
  write(tree / "a/b/file", "hello\n");
  write(tree / "a-b", "sorts between a and a/b");
  write(tree / "a/script", "#!/bin/sh\n");
  write(tree / "nothing", "");
  write(tree / std::string(255, 'n'), "a long name");
  write(tree / "not\xff utf\n8", "bytes");
  write(tree / "large", prose(3 << 20) + noise(1 << 20, 1));
  write(tree / "exactly", noise(128 << 10, 2));
  write(tree / "one more", noise((128 << 10) + 1, 3));
  fs::create_symlink("../outside/nowhere", tree / "a/link");
  fs::create_symlink(std::string(4000, 'x'), tree / "long link");
  fs::permissions(tree / "a/script", fs::perms(04751));
  fs::permissions(tree / "nothing", fs::perms(0));
  fs::permissions(tree / "empty", fs::perms(01777));
  fs::permissions(tree / "a", fs::perms(0500));
  set_time(tree / "a/link", 1'000'000'000, 123'456'789);
  set_time(tree / "a/b/file", -5, 1);
  set_time(tree / "empty", 1'234'567'890, 999'999'999);
  set_time(tree / "a", 77);

  Saved saved = save(tree);
  EXPECT_EQ(saved.files, 9U);
  EXPECT_TRUE(saved.notices.empty()) << saved.notices.front();
  reopen();
  ASSERT_OK(store_->restore(saved.id, "", path("work/back")));
  EXPECT_EQ(picture(tree), picture(path("work/back")));

  auto view = store_->view(saved.id);
  ASSERT_OK(view);
  EXPECT_EQ(picture(tree), picture((*view)->path()));

  EXPECT_EQ(damage(saved.id), std::vector<std::string>{});
  fs::permissions(tree / "a", fs::perms(0700));
}

TEST_F(RoundTrip, TheTreeIsTheSameWhateverTheTimes) {
  fs::create_directory(path("work/one"));
  write(path("work/one/f"), "same");
  set_time(path("work/one/f"), 1);
  Saved first = save(path("work/one"));
  set_time(path("work/one/f"), 2);
  Saved second = save(path("work/one"));
  EXPECT_EQ(first.id.tree, second.id.tree);
  EXPECT_NE(first.id.times, second.id.times);
  EXPECT_EQ(store_->find(first.id, "f")->modified, Time(std::chrono::seconds(1)));
  EXPECT_EQ(store_->find(second.id, "f")->modified, Time(std::chrono::seconds(2)));
}

TEST_F(RoundTrip, ListsInBytewiseOrderAndInsidePrefixes) {
  fs::path tree = path("work/tree");
  fs::create_directories(tree / "a/b/c");
  for (const char* name : {"a/b/c/f", "a/b.x", "a/b/z", "a-", "b"}) write(tree / name, name);
  ArtifactId id = save(tree).id;
  using Paths = std::vector<std::string>;
  EXPECT_EQ(paths(id), (Paths{"", "a", "a-", "a/b", "a/b.x", "a/b/c", "a/b/c/f", "a/b/z", "b"}));
  EXPECT_EQ(paths(id, {.prefix = "a/b"}), (Paths{"a/b", "a/b/c", "a/b/c/f", "a/b/z"}));
  EXPECT_EQ(paths(id, {.prefix = "", .recursive = false}), (Paths{"", "a", "a-", "b"}));
  EXPECT_EQ(paths(id, {.prefix = "a", .recursive = false}), (Paths{"a", "a/b", "a/b.x"}));
  EXPECT_EQ(paths(id, {.prefix = "b"}), (Paths{"b"}));
  EXPECT_ERROR(store_->list(id, {.prefix = "a/"}, [](const Entry&) { return true; }), ErrorKind::not_found);
  EXPECT_ERROR(store_->find(id, "a/b/missing"), ErrorKind::not_found);
  int seen = 0;
  ASSERT_OK(store_->list(id, {}, [&](const Entry&) { return ++seen < 3; }));
  EXPECT_EQ(seen, 3);
}

TEST_F(RoundTrip, ReadsAnyRangeOfAFile) {
  std::string text = noise(5 << 20, 4);
  write(path("work/file"), text);
  ArtifactId id = save(path("work/file")).id;
  EXPECT_EQ(read(id, ""), text);
  EXPECT_EQ(read(id, "", 70'000, 1'000'000), text.substr(70'000, 1'000'000));
  EXPECT_EQ(read(id, "", text.size() - 3), text.substr(text.size() - 3));
  EXPECT_EQ(read(id, "", text.size() + 5), "");
  EXPECT_EQ(read(id, "", 10, 0), "");
  Status ended = store_->read(id, "", [](auto) { return fail(ErrorKind::io, "the reader left"); });
  EXPECT_EQ(ended.error().text, "the reader left");
}

TEST_F(RoundTrip, AFileArtifactHasNoName) {
  write(path("work/file"), "content");
  fs::permissions(path("work/file"), fs::perms(0640));
  Saved saved = save(path("work/file"));
  EXPECT_EQ(paths(saved.id), std::vector<std::string>{""});
  ASSERT_OK(store_->restore(saved.id, "", path("work/back")));
  EXPECT_EQ(picture(path("work/file")), picture(path("work/back")));
  fs::create_symlink("file", path("work/link"));
  EXPECT_EQ(save(path("work/link")).id, saved.id) << "a link at the top is followed";
  FileDescriptor file(::open(path("work").c_str(), O_PATH | O_CLOEXEC));
  EXPECT_EQ(save(fmt::format("/proc/self/fd/{}/file", file.get())).id, saved.id);
  EXPECT_EQ(save(fmt::format("/proc/self/fd/{}", file.get())).files, 2U);

  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  auto text = (*transaction)->save_text("content", 0640, store_->find(saved.id, "")->modified);
  ASSERT_OK(text);
  EXPECT_EQ(text->id, saved.id);
}

TEST_F(RoundTrip, RestoresOneEntryOfATree) {
  fs::create_directories(path("work/tree/sub/deep"));
  write(path("work/tree/sub/deep/f"), "x");
  write(path("work/tree/sub-"), "not this");
  ArtifactId id = save(path("work/tree")).id;
  ASSERT_OK(store_->restore(id, "sub", path("work/back")));
  EXPECT_EQ(picture(path("work/tree/sub")), picture(path("work/back")));
  ASSERT_OK(store_->restore(id, "sub/deep/f", path("work/f")));
  EXPECT_EQ(contents(path("work/f")), "x");
  EXPECT_ERROR(store_->restore(id, "nowhere", path("work/g")), ErrorKind::not_found);
}

TEST_F(RoundTrip, HolesStayHoles) {
  constexpr off_t kSize = 40 << 20;
  FileDescriptor file(::open(path("work/sparse").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  ASSERT_EQ(::ftruncate(file.get(), kSize), 0);
  std::string text = noise(100'000, 5);
  ASSERT_EQ(::pwrite(file.get(), text.data(), text.size(), 10'000'001), static_cast<ssize_t>(text.size()));
  ASSERT_EQ(::pwrite(file.get(), "end", 3, 30'000'000), 3);
  Saved saved = save(path("work/sparse"));
  EXPECT_LT(stored_bytes(), 1U << 20);
  ASSERT_OK(store_->restore(saved.id, "", path("work/back")));
  EXPECT_EQ(picture(path("work/sparse")), picture(path("work/back")));
  EXPECT_LT(status_of(path("work/back")).st_blocks * 512, 2 << 20);

  // What a hole is saved as does not depend on whether the file system knows that it is one.
  write(path("work/dense"), contents(path("work/sparse")));
  fs::last_write_time(path("work/dense"), fs::last_write_time(path("work/sparse")));
  EXPECT_EQ(save(path("work/dense")).id.tree, saved.id.tree);
}

TEST_F(RoundTrip, WhatCannotBeKeptIsSaid) {
  fs::create_directory(path("work/tree"));
  write(path("work/tree/file"), "kept");
  ASSERT_EQ(::mkfifo(path("work/tree/pipe").c_str(), 0600), 0);
  int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  FileDescriptor closing(socket);
  FileDescriptor directory(::open(path("work/tree").c_str(), O_PATH | O_CLOEXEC));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  fmt::format_to_n(address.sun_path, sizeof address.sun_path - 1, "/proc/self/fd/{}/socket", directory.get());
  ASSERT_EQ(::bind(socket, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);

  std::vector<std::string> expected = {"pipe: it is a named pipe", "socket: it is a socket"};
  if (::mknod(path("work/tree/device").c_str(), S_IFCHR | 0600, makedev(1, 3)) == 0)  // who may
    expected.insert(expected.begin(), "device: it is a device");

  Saved saved = save(path("work/tree"));
  EXPECT_EQ(paths(saved.id), (std::vector<std::string>{"", "file"}));
  EXPECT_EQ(saved.notices, expected);
  ::unlink(path("work/tree/device").c_str());

  auto transaction = store_->begin();
  ASSERT_OK(transaction);
  EXPECT_ERROR((*transaction)->save(path("work/tree"), {.strict = true}), ErrorKind::unsupported);
  EXPECT_ERROR((*transaction)->save(path("work/tree/pipe")), ErrorKind::invalid);
  EXPECT_ERROR((*transaction)->save(path("work/missing")), ErrorKind::not_found);
  ASSERT_OK((*transaction)->save(path("work/tree/file")));
  ASSERT_OK((*transaction)->commit());

  // However many there are, a name among them that would speak to the terminal.
  for (int i = 0; i < 150; ++i) ASSERT_EQ(::mkfifo(path(fmt::format("work/tree/a\n{:03}", i)).c_str(), 0600), 0);
  saved = save(path("work/tree"));
  ASSERT_EQ(saved.notices.size(), 101U);
  EXPECT_EQ(saved.notices.front(), "a\\x0a000: it is a named pipe");
  EXPECT_EQ(saved.notices.back(), "and 52 more");
}

// Whatever may not be read: what is not in the artifact is named, or the save says that it failed.
TEST_F(RoundTrip, WhatMayNotBeReadIsSaid) {
  fs::create_directories(path("work/tree/d"));
  for (const char* file : {"a", "d/b", "d/c", "e"}) write(path("work/tree") / file, file);
  const std::vector<std::string> all = {"", "a", "d", "d/b", "d/c", "e"};
  int left_out = 0;
  bool denied = true;
  for (int number = 0; denied; ++number) {
    auto transaction = store_->begin();
    ASSERT_OK(transaction);
    Result<Saved> saved;
    {
      Denying denying(number);
      saved = (*transaction)->save(path("work/tree"));
      denied = denying.denied();
    }
    if (!saved) {
      EXPECT_ERROR(saved, ErrorKind::denied);
      EXPECT_NE(saved.error().text.find('/'), std::string::npos) << saved.error().text;
      continue;
    }
    ASSERT_OK((*transaction)->commit());
    const auto kept = paths(saved->id);
    if (kept == all) continue;
    ++left_out;
    ASSERT_EQ(saved->notices.size(), 1U) << number;
    const std::string& notice = saved->notices.front();
    EXPECT_NE(notice.find("Permission denied"), std::string::npos) << notice;
    const std::string named = notice.substr(0, notice.find(':'));
    for (const std::string& one : all) {
      // A directory that cannot be listed is kept without what it holds.
      const bool missing = named == "." ? !one.empty() : one.starts_with(named) && one != "d";
      EXPECT_EQ(std::ranges::find(kept, one) != kept.end(), !missing) << one << "; " << notice;
    }
  }
  EXPECT_GE(left_out, 5) << "each file, and a directory";
}

TEST_F(RoundTrip, AFileThatChangesWhileItIsReadIsReadAgain) {
  for (std::size_t size : {std::size_t{1000}, std::size_t{1'000'000}}) {
    write(path("work/file"), noise(size, 1));
    auto transaction = store_->begin();
    ASSERT_OK(transaction);
    Result<Saved> saved;
    {
      Appending appending(path("work/file"), 1);
      saved = (*transaction)->save(path("work/file"));
    }
    ASSERT_OK(saved);
    ASSERT_OK((*transaction)->commit());
    EXPECT_EQ(read(saved->id, ""), noise(size, 1) + "more");
    Appending appending(path("work/file"));
    auto refused = (*transaction)->save(path("work/file"));
    EXPECT_ERROR(refused, ErrorKind::unavailable);
    EXPECT_NE(refused.error().text.find("work/file"), std::string::npos) << refused.error().text;
  }
}

TEST_F(RoundTrip, TreesOfAnyDepthAndWidth) {
  fs::path deep = path("work/tree");
  fs::create_directory(deep);
  {
    FileDescriptor at(::open(deep.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    std::string name(100, 'd');
    for (int i = 0; i < 300; ++i) {  // a path of 30 KB, more than the system's limit for one
      ASSERT_EQ(::mkdirat(at.get(), name.c_str(), 0755), 0);
      at.reset(::openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      ASSERT_TRUE(at);
    }
    FileDescriptor file(::openat(at.get(), "bottom", O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    ASSERT_EQ(::write(file.get(), "deep", 4), 4);
  }
  fs::create_directory(deep / "wide");
  for (int i = 0; i < 600; ++i) write(deep / "wide" / std::to_string(i), std::to_string(i % 100));

  Saved saved = save(deep);
  EXPECT_EQ(saved.files, 601U);
  std::size_t entries = 0;
  std::string last;
  ASSERT_OK(store_->list(saved.id, {}, [&](const Entry& entry) {
    EXPECT_TRUE(entries == 0 || last < entry.path);
    last = entry.path;
    ++entries;
    return true;
  }));
  EXPECT_EQ(entries, 601U + 300 + 2);
  EXPECT_EQ(store_->find(saved.id, "wide/311")->size, 2U);
  EXPECT_EQ(read(saved.id, "wide/311"), "11");
  EXPECT_EQ(paths(saved.id, {.prefix = "", .recursive = false}).size(), 3U);

  ASSERT_OK(store_->restore(saved.id, "", path("work/back")));
  EXPECT_EQ(save(path("work/back")).id, saved.id);
}

TEST_F(RoundTrip, ALongListOfChunksLiesOutsideTheTree) {
  std::string text = noise(24 << 20, 6);
  fs::create_directory(path("work/tree"));
  write(path("work/tree/large"), text);
  write(path("work/tree/short"), text.substr(0, 1 << 20));
  ArtifactId id = save(path("work/tree")).id;
  EXPECT_EQ(read(id, "large", 20'000'000, 300'000), text.substr(20'000'000, 300'000));
  EXPECT_EQ(read(id, "large"), text);
  EXPECT_EQ(store_->find(id, "large")->size, text.size());
}

TEST_F(RoundTrip, ObjectsAreNamedByTheirBytes) {
  std::string large = prose(3 << 20);
  {
    auto transaction = store_->begin();
    ASSERT_OK(transaction);
    EXPECT_EQ((*transaction)->put_object(large), sha256(large));
    EXPECT_EQ((*transaction)->put_object(""), sha256(""));
    ASSERT_OK((*transaction)->commit());
  }
  reopen();
  EXPECT_EQ(store_->object(sha256(large)), large);
  EXPECT_EQ(store_->object(sha256("")), "");
  EXPECT_ERROR(store_->object(sha256("never stored")), ErrorKind::not_found);
}

}  // namespace
}  // namespace kist::store
