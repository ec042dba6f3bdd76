// What kist does itself for a task: web requests with their conditions, listings and what expressions make of them.
#include <array>
#include <mutex>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.hpp"
#include "task/performing.hpp"

namespace kist::task::test {
namespace {

namespace fs = std::filesystem;
using model::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// Answers each request by its path, one after the other.
class Server {
 public:
  Server() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    EXPECT_EQ(::listen(listener_.get(), 8), 0);
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread([this](const std::stop_token& stop) { serve(stop); });
  }

  std::string url(std::string_view path) const {
    return "http://127.0.0.1:" + std::to_string(port_) + std::string(path);
  }
  // A request for /silent is never answered; this is called when it has come.
  std::function<void()> on_silent;  // set before it comes
  std::string last() const {
    std::lock_guard lock(mutex_);
    return last_;
  }

 private:
  void serve(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd waiting{.fd = listener_.get(), .events = POLLIN, .revents = 0};
      if (::poll(&waiting, 1, 50) != 1) continue;
      FileDescriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      std::string request;
      char buffer[4096];
      while (!request.contains("\r\n\r\n")) {
        auto count = ::read(client.get(), buffer, sizeof buffer);
        if (count <= 0) break;
        request.append(buffer, static_cast<std::size_t>(count));
      }
      {
        std::lock_guard lock(mutex_);
        last_ = request;
      }
      if (request.contains(" /silent ")) {
        silent_.push_back(std::move(client));
        on_silent();
        continue;
      }
      std::string status = "200 OK";
      std::string headers;
      std::string body = "hello";
      if (request.contains(" /missing ")) status = "404 Not Found";
      if (request.contains(" /moved ")) {
        status = "302 Found";
        headers = "Location: /there\r\n";
      }
      std::string answer = "HTTP/1.1 " + status + "\r\nX-Kind: test\r\nConnection: close\r\n" + headers +
                           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
      (void)!::write(client.get(), answer.data(), answer.size());
    }
  }

  FileDescriptor listener_;
  std::vector<FileDescriptor> silent_;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::string last_;
  std::jthread thread_;
};

class Requests : public Performing {
 protected:
  std::array<StopSignal, 2> stops_;  // outlive the server, which may set them
  Server server_;

  Outcome ask(std::string_view path, std::optional<std::string> condition = {}) {
    next_task();
    model::HttpRequest request;
    request.url = text(server_.url(path));
    request.method = text("GET");
    request.headers.push_back(
        {.name = "X-Token", .value = model::SecretReference{text("login"), text("token"), false}});
    if (condition) request.success_condition = text(*condition);
    add(action(request));
    heard_.secrets["login"] = {{"token", "hunter-two"}};
    return perform();
  }
};

TEST_F(Requests, TheAnswerIsTheResultAndConditionsDecide) {
  Outcome outcome = ask("/moved");
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_EQ(outcome.state, State::succeeded);
  EXPECT_EQ(outcome.result, "hello");
  EXPECT_THAT(server_.last(), HasSubstr("GET /there "));
  EXPECT_THAT(server_.last(), HasSubstr("hunter-two"));

  outcome = ask("/missing");
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_THAT(outcome.problems, ElementsAre("received non-2xx response code: 404"));
  EXPECT_EQ(ask("/missing", "response.statusCode == 404 && response.body contains 'hell'").state, State::succeeded);
  EXPECT_EQ(ask("/x", "response.headers['X-Kind'][0] == 'test' && request.method == 'GET'").state, State::succeeded);
  outcome = ask("/x", "response.statusCode > 200");
  EXPECT_EQ(outcome.state, State::failed);
  EXPECT_THAT(outcome.problems, ElementsAre("successCondition 'response.statusCode > 200' evaluated false"));
  EXPECT_EQ(ask("/x", "response.").state, State::error);
  EXPECT_EQ(ask("/x", "now().Year() > 2000 && sprig.ago(now()) == '0s'").state, State::succeeded);
}

TEST_F(Requests, AStopBreaksOffWhatIsFetchedAndWaitedFor) {
  model::Location silent;
  silent.kind = "http";
  silent.fields.push_back({.name = "url", .value = text(server_.url("/silent"))});
  model::HttpRequest request;
  request.url = text(server_.url("/silent"));
  server_.on_silent = [this, asked = std::size_t(0)]() mutable { stops_.at(asked++).set(Stop::graceful); };
  std::size_t task = 0;
  for (const model::Action& waiting : {load("/in"), action(request)}) {
    next_task();
    const std::size_t index = add(waiting, shell("echo never"), shell("echo cleaning", kAlways));
    if (std::holds_alternative<model::Load>(waiting.what))
      document_.loads[index].external = {.location = silent, .archive = {}};
    Outcome outcome = task::perform(document_, tools(), heard_, stops_.at(task++));
    EXPECT_EQ(outcome.state, State::stopped);
    EXPECT_THAT(outcome.problems, IsEmpty());
    EXPECT_EQ(heard_.output(), "cleaning\n");
  }
}

TEST_F(Requests, AListIsWhatTheExpressionsMakeOfIt) {
  for (const char* name : {"a.txt", "b.pdf", "sub/c.txt"}) write(directory_ / "data" / name, "x");
  model::ListRequest request;
  request.location.kind = "file";
  request.location.set("path", text(directory_ / "data"));
  request.transformations = {text("filter(data, {# endsWith '.txt'})"), text("len(data)")};
  add(action(request));
  Outcome outcome = perform();
  EXPECT_THAT(outcome.problems, IsEmpty());
  EXPECT_EQ(outcome.result, "2");
}

TEST_F(Requests, WhatNobodyCanDoIsSaid) {
  model::ObjectRequest request;
  request.action = text("create");
  add(action(request));
  Outcome outcome = perform();
  EXPECT_EQ(outcome.state, State::error);
  EXPECT_THAT(outcome.problems, ElementsAre(HasSubstr("create")));
}

}  // namespace
}  // namespace kist::task::test
