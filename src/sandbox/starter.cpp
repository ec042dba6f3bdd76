#include "sandbox/starter.hpp"

#include <cerrno>
#include <string>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "sandbox/channel.hpp"

namespace kist::sandbox {
namespace {

constexpr std::size_t kLongestRequest = 16 << 10;  // its descriptors fill a message that travels in one piece
constexpr int kPatienceWithStarters = 2000;        // ms; it answers within ten

std::unexpected<Error> no_starter(std::string_view why) {
  return fail(ErrorKind::unavailable, std::string(why));
}

}  // namespace

Result<pid_t> start_by_starter(int connection, const Program& program, bool has_user_namespace) {
  Packer request;
  request.add(std::uint64_t{has_user_namespace ? 1U : 0U}).add(program.arguments).add(program.environment);
  request.add(program.working_directory);
  if (request.bytes().size() > kLongestRequest) return no_starter("the request is too long");

  std::vector<FileDescriptor> opened;
  for (const char* path : {"/proc/self/ns/user", "/proc/self/ns/ipc", "/proc/self/ns/pid", "/proc/self/ns/mnt"})
    if (has_user_namespace || path != std::string_view("/proc/self/ns/user"))
      opened.emplace_back(::open(path, O_RDONLY | O_CLOEXEC));
  opened.emplace_back(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  std::vector<int> descriptors;
  for (const FileDescriptor& one : opened) {
    if (!one) return fail_errno("cannot open a namespace");
    descriptors.push_back(one.get());
  }
  descriptors.insert(descriptors.end(), program.streams.begin(), program.streams.end());
  KIST_TRY(send_message(connection, request.bytes(), descriptors));

  pollfd answered{connection, POLLIN, 0};
  while (::poll(&answered, 1, kPatienceWithStarters) < 0)
    if (errno != EINTR) return fail_errno("cannot wait for a starter");
  if ((answered.revents & POLLIN) == 0) return no_starter("it does not answer");
  KIST_TRY_ASSIGN(auto message, receive_message(connection));
  if (!message) return no_starter("it has doubts");
  Unpacker answer(message->bytes);
  if (answer.number() != 0) return no_starter("it cannot");
  const auto process = static_cast<pid_t>(answer.number());
  siginfo_t ended{};
  if (process <= 0 || ::waitid(P_PID, static_cast<id_t>(process), &ended, WEXITED | WNOHANG | WNOWAIT) != 0)
    return no_starter("what it started is no child of this one");
  return process;
}

void let_begin(int connection) {
  (void)send_message(connection, "go");
}

}  // namespace kist::sandbox
