#include "task/control.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kLongestArtifactName = 1 << 10;
constexpr int kBacklog = 64;

Json error_reply(std::string_view text) {
  return Json{{"error", text}};
}

Json published_reply(const model::ArtifactRecord& record) {
  return Json{{"ok", true},
              {"tree", record.tree.to_string()},
              {"bytes", record.bytes},
              {"files", record.files},
              {"left_out", record.left_out.size()}};
}

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path)
    return fail(ErrorKind::invalid, fmt::format("{}: too long for the path of a socket", path));
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

// A text member of a request, or an empty one.
std::string text_of(const Json& request, const char* key) {
  auto found = request.find(key);
  return found != request.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

struct ControlServer::Connection {
  FileDescriptor socket;
  std::string received;
  std::atomic<bool> busy = false;    // a publish is under way: nothing more is read until it is answered
  std::atomic<bool> closed = false;  // the client is gone, or sent what cannot be read
  std::jthread worker;

  // Replies are small against a socket's buffer: a client that does not even read one is given up.
  void reply(const Json& value) {
    std::string line = to_text(value) + "\n";
    if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(line.size()))
      closed = true;
  }
};

Result<FileDescriptor> listen_at(const fs::path& socket) {
  // By way of the directory's descriptor: a socket's path must be short, KIST_HOME need not be.
  KIST_TRY_ASSIGN(auto directory, open_file(socket.parent_path(), O_PATH | O_DIRECTORY));
  std::string path = fmt::format("/proc/self/fd/{}/{}", directory.get(), socket.filename().string());
  KIST_TRY_ASSIGN(sockaddr_un address, address_of(path));
  FileDescriptor listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), 0666) != 0 || ::listen(listener.get(), kBacklog) != 0)
    return fail_errno(fmt::format("cannot listen at {}", socket.string()));
  return listener;
}

void refuse_waiting(int listener) {
  while (FileDescriptor(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC))) {
  }
}

ControlServer::ControlServer(int listener, ControlHandler& handler) : handler_(handler), listener_(listener) {}
ControlServer::~ControlServer() = default;

void ControlServer::add_to(std::vector<pollfd>& wanted) const {
  if (connections_.size() < kMostConnections) wanted.push_back({.fd = listener_, .events = POLLIN, .revents = 0});
  if (wake_) wanted.push_back({.fd = wake_.get(), .events = POLLIN, .revents = 0});
  for (const auto& connection : connections_)
    if (!connection->busy) wanted.push_back({.fd = connection->socket.get(), .events = POLLIN, .revents = 0});
}

void ControlServer::serve() {
  if (wake_) {
    std::uint64_t count = 0;
    (void)!::read(wake_.get(), &count, sizeof count);
  }
  for (const auto& connection : connections_)
    if (!connection->busy) read_requests(*connection);
  std::erase_if(connections_, [](const auto& connection) { return connection->closed && !connection->busy; });
  accept_waiting();
}

void ControlServer::accept_waiting() {
  while (connections_.size() < kMostConnections) {
    FileDescriptor socket(::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!socket) return;
    if (!wake_) wake_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    connections_.push_back(std::make_unique<Connection>());
    connections_.back()->socket = std::move(socket);
    read_requests(*connections_.back());
  }
}

void ControlServer::read_requests(Connection& connection) {
  std::array<char, 1 << 12> buffer;
  while (!connection.busy && !connection.closed) {
    if (auto end = connection.received.find('\n'); end != std::string::npos) {
      std::string line = connection.received.substr(0, end);
      connection.received.erase(0, end + 1);
      answer(connection, line);
      continue;
    }
    if (connection.received.size() > kLongestRequest) {
      connection.reply(error_reply(fmt::format("a request has at most {} bytes", kLongestRequest)));
      connection.closed = true;
      return;
    }
    auto count = ::recv(connection.socket.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0)
      connection.closed = true;
    else
      connection.received.append(buffer.data(), static_cast<std::size_t>(count));
  }
}

void ControlServer::answer(Connection& connection, const std::string& line) {
  auto request = parse_json(line);
  if (!request) return connection.reply(error_reply(request.error().text));
  if (!request->is_object()) return connection.reply(error_reply("a request is an object: {\"do\": …}"));
  std::string what = text_of(*request, "do");
  if (what == "report") {
    if (!request->contains("text") || !(*request)["text"].is_string())
      return connection.reply(error_reply("report: `text` is a text"));
    std::string text = text_of(*request, "text");
    if (text.size() > kLongestReport)
      return connection.reply(error_reply(fmt::format("a report has at most {} bytes", kLongestReport)));
    handler_.report(text);
    return connection.reply(Json{{"ok", true}});
  }
  if (what == "publish") {
    std::string name = text_of(*request, "name");
    fs::path path = text_of(*request, "path");
    if (auto good = check_artifact_name(name); !good) return connection.reply(error_reply(good.error().text));
    if (!path.is_absolute()) return connection.reply(error_reply("publish: `path` is an absolute path"));
    return publish_aside(connection, std::move(name), path.lexically_normal());
  }
  connection.reply(error_reply(fmt::format("unknown request '{}': there are publish and report", what)));
}

void ControlServer::publish_aside(Connection& connection, std::string name, fs::path path) {
  connection.busy = true;
  connection.worker = std::jthread([this, &connection, name = std::move(name), path = std::move(path)] {
    auto record = handler_.publish(name, path);
    connection.reply(record ? published_reply(*record) : error_reply(record.error().text));
    connection.busy = false;
    std::uint64_t one = 1;
    (void)!::write(wake_.get(), &one, sizeof one);
  });
}

Status check_artifact_name(std::string_view name) {
  bool good = !name.empty() && name.size() <= kLongestArtifactName &&
              std::ranges::none_of(name, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  for (std::string_view rest = name; good && !rest.empty();) {
    std::string_view component = rest.substr(0, rest.find('/'));
    good = !component.empty() && component != "." && component != "..";
    rest.remove_prefix(component.size());
    if (rest.starts_with('/')) {
      rest.remove_prefix(1);
      good = good && !rest.empty();
    }
  }
  if (good) return {};
  return fail(ErrorKind::invalid,
              fmt::format("'{}' is no name for an artifact: expected words joined by '/', such as models/best", name));
}

// ---- the client
// ---------------------------------------------------------------------------------------------------------------

namespace {

Result<Json> ask(const Json& request) {
  const char* path = std::getenv("KIST_TASK");
  if (path == nullptr || *path == '\0')
    return fail(ErrorKind::unavailable, "this is not inside a task of kist: KIST_TASK is not set");
  KIST_TRY_ASSIGN(sockaddr_un address, address_of(path));
  FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket || ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail(ErrorKind::unavailable,
                fmt::format("cannot speak to the task's kist at {}: {}", path, std::strerror(errno)));
  std::string line = to_text(request) + "\n";
  for (std::string_view rest = line; !rest.empty();) {
    auto sent = ::send(socket.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0)
      return fail(ErrorKind::unavailable, fmt::format("the task's kist does not listen: {}", std::strerror(errno)));
    rest.remove_prefix(static_cast<std::size_t>(sent));
  }
  std::string reply;
  std::array<char, 1 << 12> buffer;
  while (reply.find('\n') == std::string::npos && reply.size() <= kLongestRequest) {
    auto count = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail(ErrorKind::unavailable, "the task's kist ended before it answered");
    reply.append(buffer.data(), static_cast<std::size_t>(count));
  }
  KIST_TRY_ASSIGN(Json answer, parse_json(reply));
  if (!answer.is_object()) return fail(ErrorKind::invalid, "the task's kist answered what is no object");
  if (answer.contains("error")) return fail(ErrorKind::invalid, text_of(answer, "error"));
  return answer;
}

}  // namespace

Result<Published> publish(std::string_view name, const fs::path& path) {
  KIST_TRY_ASSIGN(Json answer, ask(Json{{"do", "publish"}, {"name", name}, {"path", fs::absolute(path).string()}}));
  return Published{.tree = text_of(answer, "tree"),
                   .bytes = answer.value("bytes", std::uint64_t{0}),
                   .files = answer.value("files", std::uint64_t{0}),
                   .left_out = answer.value("left_out", std::uint64_t{0})};
}

Status report(std::string_view text) {
  KIST_TRY(ask(Json{{"do", "report"}, {"text", text}}));
  return {};
}

}  // namespace kist::task
