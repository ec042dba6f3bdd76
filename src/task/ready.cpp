#include "task/ready.hpp"

#include <csignal>

#include <fmt/format.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/file.hpp"
#include "net/http.hpp"

namespace kist::task {

namespace {

using std::chrono::milliseconds;

constexpr int kFirstGood = 200;
constexpr int kFirstBad = 400;

Status ask_port(int port) {
  FileDescriptor socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_errno("cannot make a socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string doing = fmt::format("port {} takes no connection", port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return {};
  if (errno != EINPROGRESS) return fail_errno(doing);
  pollfd connected{.fd = socket.get(), .events = POLLOUT, .revents = 0};
  if (::poll(&connected, 1, static_cast<int>(milliseconds(kLongestProbe).count())) != 1)
    return fail(ErrorKind::unavailable, doing + " in time");
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0)
    return fail_errno(doing, error);
  return {};
}

Status ask_url(const std::string& url) {
  net::HttpClient client({.ca_file = {}, .connect_timeout = kLongestProbe, .idle_timeout = kLongestProbe});
  net::HttpRequest request;
  request.url = url;
  auto answer = client.perform(request);
  if (!answer) return std::unexpected(answer.error().error);
  if (answer->status >= kFirstGood && answer->status < kFirstBad) return {};
  return fail(ErrorKind::unavailable, fmt::format("{} answers {}", url, answer->status));
}

Status ask_command(sandbox::Sandbox& sandbox, const sandbox::Command& command) {
  KIST_TRY_ASSIGN(sandbox::ProcessId process, sandbox.start(command));
  KIST_TRY_ASSIGN(auto ended, sandbox.wait(process, kLongestProbe));
  if (!ended) {
    KIST_TRY(sandbox.signal(process, SIGKILL));
    KIST_TRY(sandbox.wait(process));
    return fail(ErrorKind::unavailable, "its command takes too long");
  }
  if (ended->exit_code == 0) return {};
  return fail(ErrorKind::unavailable, fmt::format("its command exits with {}", ended->exit_code));
}

}  // namespace

Status ask_probe(const model::Probe& probe, sandbox::Sandbox& sandbox, const sandbox::Command& command) {
  if (!probe.command.empty()) KIST_TRY(ask_command(sandbox, command));
  if (probe.url) KIST_TRY(ask_url(probe.url->source()));
  if (probe.port) KIST_TRY(ask_port(*probe.port));
  return {};
}

}  // namespace kist::task
