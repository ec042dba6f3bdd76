#include "sandbox/init_client.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/init.hpp"

namespace kist::sandbox {
namespace {

std::unexpected<Error> gone() {
  return fail(ErrorKind::io, "the task's sandbox ended before its time (was its init killed?)");
}

std::uint64_t word(Demand demand) {
  return static_cast<std::uint64_t>(demand);
}

Result<bool> is_readable(int descriptor, std::optional<std::chrono::nanoseconds> timeout) {
  using Clock = std::chrono::steady_clock;
  auto end = Clock::now() + timeout.value_or(std::chrono::nanoseconds(0));
  pollfd watched{descriptor, POLLIN, 0};
  while (true) {
    timespec limit{};
    if (timeout) {
      auto left = std::max(end - Clock::now(), Clock::duration(0));
      auto seconds = std::chrono::duration_cast<std::chrono::seconds>(left);
      limit = {seconds.count(), std::chrono::nanoseconds(left - seconds).count()};
    }
    int ready = ::ppoll(&watched, 1, timeout ? &limit : nullptr, nullptr);
    if (ready >= 0) return ready > 0;
    if (errno != EINTR) return fail_errno("cannot wait for a process");
  }
}

}  // namespace

Result<InitClient::Greeting> InitClient::greet() {
  KIST_TRY_ASSIGN(auto message, receive_message(channel_.get()));
  if (!message) return gone();
  Unpacker answer(message->bytes);
  KIST_TRY(check_answer(answer));
  if (message->descriptors.size() < 2) return gone();
  Greeting greeting;
  greeting.regions.resize(answer.number());
  for (Region& region : greeting.regions) {
    answer.get(region.target);
    answer.get(region.host);
    answer.get(region.lower);
  }
  process_ = std::move(message->descriptors[0]);
  greeting.root = std::move(message->descriptors[1]);
  return greeting;
}

Result<ProcessId> InitClient::start(const Command& command) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("cannot make a pipe");
  auto waited = std::make_shared<Waited>();
  waited->pipe.reset(ends[0]);
  FileDescriptor writing(ends[1]);
  std::vector<int> descriptors;
  std::uint64_t given = 0;
  std::array<int, 3> streams{command.input, command.output, command.error};
  for (std::size_t i = 0; i < streams.size(); ++i) {
    if (streams[i] < 0) continue;
    given |= 1U << i;
    descriptors.push_back(streams[i]);
  }
  if (command.terminal) given |= kHasTerminal;
  descriptors.push_back(writing.get());
  if (command.starter >= 0) {
    given |= kHasStarter;
    descriptors.push_back(command.starter);
  }
  Packer request;
  request.add(word(Demand::start)).add(command.arguments).add(command.environment);
  request.add(command.working_directory).add(given);
  KIST_TRY_ASSIGN(Message message, ask(request, descriptors));
  Unpacker answer(message.bytes);
  KIST_TRY(check_answer(answer));
  auto process = static_cast<ProcessId>(answer.number());
  std::scoped_lock lock(processes_mutex_);
  processes_[process] = std::move(waited);
  return process;
}

Result<std::optional<Ended>> InitClient::wait(ProcessId process, std::optional<std::chrono::nanoseconds> timeout) {
  std::shared_ptr<Waited> waited;
  {
    std::scoped_lock lock(processes_mutex_);
    auto found = processes_.find(process);
    if (found == processes_.end()) return fail(ErrorKind::not_found, "no such process in this sandbox");
    waited = found->second;
  }
  {
    std::scoped_lock lock(waited->mutex);
    if (waited->ended) return waited->ended;
  }
  KIST_TRY_ASSIGN(bool is_ready, is_readable(waited->pipe.get(), timeout));
  if (!is_ready) return std::optional<Ended>();
  std::scoped_lock lock(waited->mutex);
  if (waited->ended) return waited->ended;
  Ended ended;
  if (::read(waited->pipe.get(), &ended, sizeof ended) != sizeof ended) return gone();
  waited->ended = ended;
  return waited->ended;
}

Status InitClient::signal(ProcessId process, int number) {
  return demand(Packer().add(word(Demand::signal)).add(process).add(static_cast<std::uint64_t>(number)));
}

Status InitClient::signal_all(int number) {
  return demand(Packer().add(word(Demand::signal_all)).add(static_cast<std::uint64_t>(number)));
}

Status InitClient::quiesce() {
  return demand(Packer().add(word(Demand::quiesce)));
}

Result<bool> InitClient::renew() {
  KIST_TRY_ASSIGN(Message message, ask(Packer().add(word(Demand::renew)), {}));
  Unpacker answer(message.bytes);
  KIST_TRY(check_answer(answer));
  std::scoped_lock lock(processes_mutex_);
  processes_.clear();
  return answer.number() == 1;
}

Status InitClient::close() {
  {
    std::scoped_lock lock(channel_mutex_);
    if (!channel_) return {};
  }
  Status quiet = quiesce();
  // Init is dead already, or does not answer: the kernel ends it, and with it what is left.
  if (!quiet && process_) {
    ::syscall(SYS_pidfd_send_signal, process_.get(), SIGKILL, nullptr, 0);
    if (is_readable(process_.get(), {})) quiet = {};
  }
  // Init leaves when it sees the channel's end, and takes the mounts with it. Nobody waits for the kernel to take them
  // apart, which costs it milliseconds: no process is left that could write.
  std::scoped_lock lock(channel_mutex_);
  channel_.reset();
  return quiet;
}

Result<Message> InitClient::ask(const Packer& request, std::span<const int> descriptors) {
  std::scoped_lock lock(channel_mutex_);
  if (!channel_) return fail(ErrorKind::unavailable, "the task's sandbox is closed");
  if (!send_message(channel_.get(), request.bytes(), descriptors)) return gone();
  KIST_TRY_ASSIGN(auto message, receive_message(channel_.get()));
  if (!message) return gone();
  return std::move(*message);
}

Status InitClient::demand(const Packer& request) {
  KIST_TRY_ASSIGN(Message message, ask(request, {}));
  Unpacker answer(message.bytes);
  return check_answer(answer);
}

}  // namespace kist::sandbox
