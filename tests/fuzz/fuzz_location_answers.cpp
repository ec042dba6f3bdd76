// Whatever a server answers, what is listed or brought from it is read or refused, and nothing is written beside the
// target.
//
// The first byte says what kind of place is asked, and for what. The rest is the answers, each up to a line "%%": the
// three digits of a status, what is left of that line is passed over; headers, a line each; an empty line; the body.
// They are given out one after the other, to whatever is asked; then connections are closed.
#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.hpp"
#include "location/location.hpp"

namespace {

using namespace kist;
namespace fs = std::filesystem;

class Server {
 public:
  Server() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    if (::bind(listener_.get(), any, length) != 0 || ::listen(listener_.get(), 64) != 0 ||
        ::getsockname(listener_.get(), any, &length) != 0)
      __builtin_trap();
    port_ = ntohs(address.sin_port);
    std::thread([this] { serve(); }).detach();  // as long as the program runs
  }
  int port() const { return port_; }

  void set(std::string_view answers) {
    std::lock_guard lock(mutex_);
    answers_.clear();
    while (!answers.empty()) {
      const auto end = answers.find("\n%%\n");
      answers_.push_back(with_length(answers.substr(0, end)));
      answers.remove_prefix(end == std::string_view::npos ? answers.size() : end + 4);
    }
  }

 private:
  static std::string with_length(std::string_view text) {
    const std::string_view line = text.substr(0, text.find('\n'));
    std::string status = "200";
    if (line.size() >= 3 && line[0] >= '2' && line[0] <= '5' && std::isdigit(line[1]) && std::isdigit(line[2]))
      status = line.substr(0, 3);
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    auto end = text.starts_with('\n') ? 0 : text.find("\n\n");
    if (end == std::string_view::npos) end = text.size();
    const std::string_view headers = text.substr(0, end);
    const std::string_view body =
        end == 0 ? text.substr(std::min<std::size_t>(text.size(), 1)) : text.substr(std::min(text.size(), end + 2));
    std::string answer = fmt::format("HTTP/1.1 {} x\r\nConnection: close\r\n", status);
    for (std::size_t at = 0; at < headers.size();) {
      const std::string_view header = headers.substr(at, headers.find('\n', at) - at);
      answer.append(header).append("\r\n");
      at += header.size() + 1;
    }
    if (!headers.contains("Content-Length")) answer += fmt::format("Content-Length: {}\r\n", body.size());
    return answer.append("\r\n").append(body);
  }

  void serve() {
    while (true) {
      const FileDescriptor connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (!connection) __builtin_trap();
      std::string request;
      std::array<char, 4096> buffer;
      while (!request.contains("\r\n\r\n")) {
        const ssize_t count = ::recv(connection.get(), buffer.data(), buffer.size(), 0);
        if (count <= 0) break;
        request.append(buffer.data(), static_cast<std::size_t>(count));
      }
      std::string answer;
      {
        std::lock_guard lock(mutex_);
        if (answers_.empty()) continue;
        answer = std::move(answers_.front());
        answers_.pop_front();
      }
      (void)::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
      ::shutdown(connection.get(), SHUT_WR);
    }
  }

  FileDescriptor listener_;
  int port_ = 0;
  std::mutex mutex_;
  std::deque<std::string> answers_;
};

model::Location place(unsigned kind, const std::string& server) {
  model::Location location;
  auto set = [&](const char* name, const std::string& value) { location.set(name, model::Text::literal(value)); };
  switch (kind) {
    case 0:
      location.kind = "s3";
      set("endpoint", server);
      set("insecure", "true");
      set("bucket", "bucket");
      set("key", "key");
      set("accessKeySecret", "access");
      set("secretKeySecret", "secret");
      break;
    case 1:
      location.kind = "gcs";
      set("endpoint", "http://" + server);
      set("bucket", "bucket");
      set("key", "key");
      break;
    case 2:
      location.kind = "azure";
      set("endpoint", "http://" + server + "/account");
      set("container", "container");
      set("blob", "key");
      set("accountKeySecret", "a2V5");
      break;
    case 3:
      location.kind = "hdfs";
      set("addresses", "hdfs:8020");
      set("hdfsUser", "user");
      set("path", "/key");
      break;
    default:
      location.kind = "http";
      set("url", "http://" + server + "/key");
  }
  return location;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto scratch = ScratchDirectory::make("/dev/shm", "kist-fuzz-").value();
  static auto& server = *new Server();
  if (size == 0) return 0;
  const std::string address = fmt::format("127.0.0.1:{}", server.port());
  server.set({reinterpret_cast<const char*>(data) + 1, size - 1});

  location::Context context;
  context.scratch = scratch.path() / "scratch";
  context.cache = scratch.path() / "cache";
  context.endpoints = {{"hdfs:8020", "http://" + address}};
  context.retry = {.first = std::chrono::milliseconds(0), .longest = {}, .total = {}, .unreached = 1};
  context.idle_timeout = std::chrono::seconds(2);
  const fs::path top = scratch.path() / "top";
  fs::create_directories(top);
  fs::create_directories(context.scratch);

  const model::Location location = place(data[0] / 2 % 5, address);
  if (data[0] % 2 == 0) {
    const auto keys = location::list(location, context);
    if (!keys && keys.error().text.empty()) __builtin_trap();
  } else {
    location::LoadOptions options;
    options.limits.most_bytes = 1 << 20;
    options.limits.most_entries = 100;
    const Status loaded = location::load(location, options, top / "target", context);
    if (!loaded && loaded.error().text.empty()) __builtin_trap();
    for (const auto& entry : fs::directory_iterator(top))
      if (!loaded || entry.path().filename() != "target") __builtin_trap();
  }
  if (!fs::is_empty(context.scratch)) __builtin_trap();
  for (const auto& entry : fs::directory_iterator(scratch.path()))
    if (entry.path() != top && entry.path() != context.scratch && entry.path() != context.cache) __builtin_trap();
  if (!remove_tree(top)) __builtin_trap();
  return 0;
}
