// One loop polls the pipes, the control socket and the stop signal. Two facts shape it. A process may close its output
// and live on, so the end of its output is not its end. And a process it left behind may hold the pipe open for ever,
// so its end is not the end of the output either: after it ended, the loop waits a moment for what is under way (a
// `tee` behind it) and goes on; the pipe stays open and is read on with the next process, since closing it would kill
// whoever still writes.
//
// A graceful stop asks every process, not only the one in the foreground: a shell dies of SIGTERM at once while the
// program it started is still saving. So the loop goes on, within the grace, until nobody holds the pipes.
#include "task/processes.hpp"

#include <algorithm>
#include <array>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace kist::task {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTick(50);         // how often is looked whether a process ended whose pipe is still open
constexpr milliseconds kEndExpected(20);  // where its pipes are closed: it has ended or will at any moment
constexpr milliseconds kDrain(200);       // for the rest of the output after a process ended
constexpr std::size_t kPiece = 64 << 10;

struct Pipe {
  FileDescriptor read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends;
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail_errno("cannot make a pipe for the output of a process");
  Pipe pipe{.read = FileDescriptor(ends[0]), .write = FileDescriptor(ends[1])};
  if (::fcntl(ends[0], F_SETFL, O_NONBLOCK) != 0) return fail_errno("cannot make a pipe for the output of a process");
  return pipe;
}

// Keeps the end of a text, trimming it only now and then.
void append_end(std::string& kept, std::string_view bytes) {
  kept += bytes;
  if (kept.size() > 2 * kLongestResult) kept.erase(0, kept.size() - kLongestResult);
}

}  // namespace

Result<sandbox::ProcessId> Processes::start(sandbox::Command& command, bool foreground, std::string* kept) {
  KIST_TRY_ASSIGN(Pipe output, make_pipe());
  KIST_TRY_ASSIGN(Pipe error, make_pipe());
  command.output = output.write.get();
  command.error = error.write.get();
  KIST_TRY_ASSIGN(sandbox::ProcessId process, sandbox_.start(command));
  outputs_.push_back({std::move(output.read), Stream::output, foreground, kept});
  outputs_.push_back({std::move(error.read), Stream::error, foreground, nullptr});
  return process;
}

Result<Finished> Processes::run(sandbox::Command command, const Options& options) {
  const Stop known = stop_.get();
  asked_.reset();
  killed_ = false;
  KIST_TRY_ASSIGN(sandbox::ProcessId process, start(command, true, options.result));
  Finished finished;
  bool has_ended = false;
  Clock::time_point last_output = Clock::now();
  Clock::time_point last_look = last_output;
  std::optional<Clock::time_point> kill_at;  // of a process that was too quiet
  std::optional<Clock::time_point> drain_until;
  for (;;) {
    heed_stop(known);
    bool open = foreground_is_open();
    bool wrote = pump(open ? kTick : milliseconds(0));
    Clock::time_point now = Clock::now();
    if (wrote) last_output = now;
    if (!has_ended && (!open || now - last_look >= kTick)) {
      last_look = now;
      KIST_TRY_ASSIGN(auto ended, sandbox_.wait(process, open ? milliseconds(0) : kEndExpected));
      if (ended) {
        has_ended = true;
        finished.ended = *ended;
        drain_until = now + kDrain;
      }
    }
    if (has_ended && (!foreground_is_open() || (now >= *drain_until && !in_grace()))) break;
    if (options.no_output_timeout && !has_ended && !finished.too_quiet &&
        now - last_output > *options.no_output_timeout) {
      finished.too_quiet = true;
      kill_at = now + kGrace;
      KIST_TRY(sandbox_.signal(process, SIGTERM));
    }
    if (kill_at && now >= *kill_at && !has_ended) {
      kill_at.reset();
      KIST_TRY(sandbox_.signal(process, SIGKILL));
    }
  }
  for (Output& output : outputs_) {
    output.foreground = false;
    output.kept = nullptr;
  }
  if (options.result != nullptr && options.result->size() > kLongestResult)
    options.result->erase(0, options.result->size() - kLongestResult);
  return finished;
}

Status Processes::start_background(sandbox::Command command) {
  KIST_TRY_ASSIGN(sandbox::ProcessId process, start(command, false, nullptr));
  background_.push_back(process);
  return {};
}

Status Processes::end_all() {
  if (!background_.empty() && !killed_ && stop_.get() != Stop::abort) {
    Clock::time_point deadline = asked_.value_or(Clock::now()) + kGrace;
    if (!asked_)
      for (sandbox::ProcessId process : background_) KIST_TRY(sandbox_.signal(process, SIGTERM));
    while (!background_.empty() && Clock::now() < deadline && stop_.get() != Stop::abort) {
      KIST_TRY_ASSIGN(auto ended, sandbox_.wait(background_.back(), kEndExpected));
      if (ended) background_.pop_back();
      pump(milliseconds(0));
    }
  }
  background_.clear();
  KIST_TRY(sandbox_.quiesce());
  for (auto until = Clock::now() + kDrain; !outputs_.empty() && Clock::now() < until;) pump(kTick);
  outputs_.clear();
  return {};
}

void Processes::heed_stop(Stop known) {
  Stop how = stop_.get();
  if (how <= known || killed_) return;
  bool over = asked_ && Clock::now() >= *asked_ + kGrace;
  if (how == Stop::abort || over) {
    (void)sandbox_.signal_all(SIGKILL);
    killed_ = true;
  } else if (!asked_) {
    (void)sandbox_.signal_all(SIGTERM);
    asked_ = Clock::now();
  }
}

bool Processes::foreground_is_open() const {
  return std::ranges::any_of(outputs_, &Output::foreground);
}

bool Processes::pump(milliseconds timeout) {
  waiting_.clear();
  for (const Output& output : outputs_) waiting_.push_back({.fd = output.pipe.get(), .events = POLLIN, .revents = 0});
  const std::size_t first_other = waiting_.size();
  if (stop_.get() == Stop::none) waiting_.push_back({.fd = stop_.descriptor(), .events = POLLIN, .revents = 0});
  const std::size_t first_control = waiting_.size();
  control_.add_to(waiting_);
  if (::poll(waiting_.data(), waiting_.size(), static_cast<int>(timeout.count())) <= 0) return false;

  bool wrote = false;
  for (std::size_t i = 0; i < first_other; ++i)
    if (waiting_[i].revents != 0 && read_from(outputs_[i])) wrote = true;
  std::erase_if(outputs_, [](const Output& output) { return !output.pipe; });
  if (std::any_of(waiting_.begin() + static_cast<std::ptrdiff_t>(first_control), waiting_.end(),
                  [](const pollfd& one) { return one.revents != 0; }))
    control_.serve();
  return wrote;
}

// One piece, so that the streams take turns. Closes the pipe at its end.
bool Processes::read_from(Output& output) {
  std::array<char, kPiece> buffer;
  auto count = ::read(output.pipe.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (count <= 0) {
    output.pipe.reset();
    return false;
  }
  std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
  services_.log(output.stream, bytes);
  if (output.kept != nullptr) append_end(*output.kept, bytes);
  return output.foreground;
}

}  // namespace kist::task
