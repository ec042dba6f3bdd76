// The object endpoint and its client, against each other.
#include "serve/objects.hpp"

#include <condition_variable>
#include <thread>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "base/file.hpp"
#include "net/kist_objects.hpp"
#include "net/read_object.hpp"
#include "serve/routes.hpp"
#include "serve/token.hpp"

namespace kist::serve {
namespace {

using namespace std::chrono_literals;
using net::PutCondition;
using net::text_body;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view kToken = "0123456789abcdef";

struct ServeTest : testing::Test {
  ScratchDirectory scratch = ScratchDirectory::make(std::filesystem::temp_directory_path(), "kist-serve-").value();
  std::unique_ptr<net::ObjectDirectory> directory =
      net::open_directory_objects(scratch.path() / "objects", true).value();
  std::unique_ptr<Server> server = start();
  std::unique_ptr<net::ObjectStore> objects = client(std::string(kToken));

  std::unique_ptr<Server> start() {
    Routes routes{std::string(kToken)};
    routes.add(std::string(kObjectsPath), objects_handler(*directory));
    routes.add("/slow", [this](Exchange& exchange) {
      {
        std::unique_lock lock(mutex);
        under_way = true;
        changed.notify_all();
        changed.wait(lock, [&] { return released; });
      }
      (void)exchange.answer(200, {}, "at last");
    });
    ServerSettings settings;
    settings.port = 0;
    return Server::start(settings, std::move(routes)).value();
  }
  std::unique_ptr<net::ObjectStore> client(std::string token) const {
    net::KistSettings settings{.token = std::move(token), .http = {}, .retry = {}};
    settings.retry = {.first = 1ms, .longest = 4ms, .total = 1000ms, .unreached = 2};
    return net::open_kist_objects(server->address(), std::move(settings)).value();
  }
  std::string text(std::string_view name, std::uint64_t offset = 0, std::uint64_t length = UINT64_MAX) {
    return net::read_object(*objects, name, offset, length);
  }
  // What the server answers to these bytes, until it closes the connection.
  std::string raw(std::string_view request) const {
    const FileDescriptor connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(net::parse_url(server->address())->port));
    if (::connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return "";
    EXPECT_TRUE(write_all(connection.get(), request, "connection"));
    std::string answer;
    std::array<char, 4096> piece{};
    for (ssize_t count = 0; (count = ::read(connection.get(), piece.data(), piece.size())) > 0;)
      answer.append(piece.data(), static_cast<std::size_t>(count));
    return answer;
  }

  std::mutex mutex;
  std::condition_variable changed;
  bool under_way = false;
  bool released = false;
};

TEST_F(ServeTest, KeepsWholeObjectsAndGivesRanges) {
  EXPECT_EQ(objects->obeys_conditions().value(), true);
  ASSERT_TRUE(objects->put("a/%20b", text_body("0123456789")));
  ASSERT_TRUE(objects->put("empty", text_body("")));
  EXPECT_EQ(text("a/%20b"), "0123456789");
  EXPECT_EQ(text("a/%20b", 3, 4), "3456");
  EXPECT_EQ(text("a/%20b", 8), "89");
  EXPECT_EQ(text("a/%20b", 10), "");
  EXPECT_EQ(text("empty"), "");
  EXPECT_EQ(text("none"), "not found");
  EXPECT_EQ(objects->head("a/%20b").value().size, 10U);
  EXPECT_EQ(objects->head("a/%20b").value().version, directory->head("a/%20b").value().version);
  EXPECT_EQ(objects->put("../x", text_body("x")).error().kind, ErrorKind::invalid);
  ASSERT_TRUE(objects->remove("empty"));
  ASSERT_TRUE(objects->remove("empty"));
  EXPECT_EQ(text("empty"), "not found");
}

TEST_F(ServeTest, ConditionsHoldAndOneOfManyWins) {
  const auto first = objects->put("ref", text_body("one"), {.kind = PutCondition::Kind::absent, .version = {}});
  ASSERT_TRUE(first);
  EXPECT_EQ(objects->put("ref", text_body("two"), {.kind = PutCondition::Kind::absent, .version = {}}).error().kind,
            ErrorKind::conflict);
  ASSERT_TRUE(objects->put("ref", text_body("two"), {.kind = PutCondition::Kind::matches, .version = *first}));
  EXPECT_EQ(
      objects->put("ref", text_body("three"), {.kind = PutCondition::Kind::matches, .version = *first}).error().kind,
      ErrorKind::conflict);
  EXPECT_EQ(text("ref"), "two");
  std::atomic<int> won{0};
  {
    std::vector<std::jthread> racers;
    for (int i = 0; i < 20; ++i)
      racers.emplace_back([&] {
        if (objects->put("race", text_body("x"), {.kind = PutCondition::Kind::absent, .version = {}})) ++won;
      });
  }
  EXPECT_EQ(won.load(), 1);
}

TEST_F(ServeTest, LargeBodiesGoThroughInPieces) {
  std::string all(5'000'000, ' ');
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<char>(i * i >> 7);
  FileDescriptor file(::memfd_create("body", MFD_CLOEXEC));
  ASSERT_TRUE(write_all(file.get(), all, "body"));
  std::uint64_t moved = 0;
  ASSERT_TRUE(objects->put("large", {.bytes = {}, .file = file.get(), .offset = 0, .size = all.size()}, {},
                           [&](std::uint64_t bytes) { moved += bytes; }));
  EXPECT_EQ(moved, all.size());
  EXPECT_TRUE(text("large") == all);
  // Refused before the body is sent.
  moved = 0;
  EXPECT_FALSE(objects->put("large", {.bytes = {}, .file = file.get(), .offset = 0, .size = all.size()},
                            {.kind = PutCondition::Kind::absent, .version = {}},
                            [&](std::uint64_t bytes) { moved += bytes; }));
  EXPECT_EQ(moved, 0U);
}

TEST_F(ServeTest, ListsPageByPage) {
  for (const char* name : {"p/a/2", "p/a/1", "p/a-", "p/b", "q"}) ASSERT_TRUE(objects->put(name, text_body(name)));
  std::vector<std::string> names;
  ASSERT_TRUE(objects->list("p/", [&](const net::ObjectInfo& info) {
    names.push_back(info.name);
    return true;
  }));
  EXPECT_THAT(names, ElementsAre("p/a-", "p/a/1", "p/a/2", "p/b"));
  for (const std::size_t limit : {std::size_t{1}, std::size_t{2}, std::size_t{3}}) {
    std::vector<std::string> paged;
    for (bool more = true; more;) {
      std::size_t count = 0;
      more = false;
      ASSERT_TRUE(directory->list_after("p/", paged.empty() ? "" : paged.back(), [&](const net::ObjectInfo& info) {
        more = count++ == limit;
        if (!more) paged.push_back(info.name);
        return !more;
      }));
    }
    EXPECT_EQ(paged, names);
  }
}

TEST_F(ServeTest, WithoutTheTokenThereIsNothing) {
  for (const char* token : {"", "wrong", "0123456789abcdeX", "0123456789abcdef0"}) {
    const auto got = client(token)->head("x");
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().kind, ErrorKind::denied) << token;
    EXPECT_THAT(got.error().text, Not(HasSubstr("0123456789abcde")));
  }
  EXPECT_THAT(raw("PUT /api/kist/v1/objects/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx"),
              HasSubstr("HTTP/1.1 401"));
  EXPECT_EQ(text("x"), "not found");
}

TEST_F(ServeTest, DamagedAndBrokenBodiesLeaveNothing) {
  const std::string head =
      "PUT /api/kist/v1/objects/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer " +
      std::string(kToken) + "\r\n";
  const std::string digest =
      "Content-Digest: sha-256=:iNQmb9TmM40TuEX88olXnQQfJGRUvTvFNQTJvGlvUu0=:\r\n";  // of something else
  EXPECT_THAT(raw(head + digest + "Content-Length: 4\r\n\r\ntext"), HasSubstr("HTTP/1.1 422"));
  EXPECT_EQ(text("x"), "not found");
  {
    const FileDescriptor connection(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<std::uint16_t>(net::parse_url(server->address())->port));
    ASSERT_EQ(::connect(connection.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_TRUE(write_all(connection.get(), head + "Content-Length: 100\r\n\r\ntext", "connection"));
  }
  server->stop(10s);
  server = start();
  objects = client(std::string(kToken));
  EXPECT_EQ(text("x"), "not found");
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path() / "objects/.tmp"));
}

TEST_F(ServeTest, WhatIsNoHttpIsRefused) {
  EXPECT_THAT(raw("how do you do\r\n\r\n"), HasSubstr("HTTP/1.1 400"));
  EXPECT_THAT(raw("GET /%zz?a=%z HTTP/1.1\r\nConnection: close\r\n\r\n"), HasSubstr("HTTP/1.1 4"));
  EXPECT_EQ(text("x"), "not found");  // and it still serves
}

TEST_F(ServeTest, StopsWhenWhatIsUnderWayIsAnswered) {
  std::string answer;
  std::jthread caller([&] {
    answer = raw("GET /slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + std::string(kToken) + "\r\n\r\n");
  });
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return under_way; });
  }
  std::jthread stopping([&] { server->stop(60s); });
  {
    std::lock_guard lock(mutex);
    released = true;
    changed.notify_all();
  }
  stopping.join();
  caller.join();
  EXPECT_THAT(answer, HasSubstr("at last"));
  EXPECT_EQ(objects->head("x").error().kind, ErrorKind::unavailable);
}

TEST(AskedRange, IsWhatRfc9110Says) {
  auto range = [](std::string_view header, std::uint64_t size) {
    const auto asked = asked_range(header, size);
    return asked ? fmt::format("{}+{}", asked->offset, asked->length) : "none";
  };
  EXPECT_EQ(range("", 10), "0+10");
  EXPECT_EQ(range("bytes=2-4", 10), "2+3");
  EXPECT_EQ(range("bytes=2-", 10), "2+8");
  EXPECT_EQ(range("bytes=-3", 10), "7+3");
  EXPECT_EQ(range("bytes=-30", 10), "0+10");
  EXPECT_EQ(range("bytes=5-18446744073709551615", 10), "5+5");
  EXPECT_EQ(range("bytes=10-", 10), "none");
  EXPECT_EQ(range("bytes=0-", 0), "none");
  EXPECT_EQ(range("bytes=-0", 10), "none");
  EXPECT_EQ(range("bytes=4-2", 10), "0+10");
  EXPECT_EQ(range("bytes=0-1,3-4", 10), "0+10");
  EXPECT_EQ(range("lines=1-2", 10), "0+10");
}

TEST(Token, IsMadeOnceForItsOwnerOnly) {
  const ScratchDirectory scratch =
      ScratchDirectory::make(std::filesystem::temp_directory_path(), "kist-token-").value();
  const auto file = scratch.path() / "token";
  const auto made = token_of(file).value();
  EXPECT_TRUE(made.made);
  EXPECT_EQ(made.text.size(), 64U);
  EXPECT_EQ(std::filesystem::status(file).permissions(), std::filesystem::perms(0600));
  EXPECT_EQ(token_of(file).value().text, made.text);
  ASSERT_EQ(::chmod(file.c_str(), 0644), 0);
  EXPECT_EQ(token_of(file).error().kind, ErrorKind::denied);
}

}  // namespace
}  // namespace kist::serve
