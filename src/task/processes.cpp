// One loop polls the pipes, the control sockets and the stop signal. Two facts shape it. A process may close its output
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

Result<Processes::Child> Processes::begin(sandbox::Sandbox& sandbox, sandbox::Command& command, const Options& options,
                                          bool waited_for) {
  Pipe output;
  Pipe error;
  if (options.terminal) {
    KIST_TRY_ASSIGN(PseudoTerminal terminal, open_pseudo_terminal(sandbox));
    output = {.read = std::move(terminal.our_side), .write = std::move(terminal.process_side)};
    command.input = command.output = command.error = output.write.get();
    command.terminal = true;
  } else {
    KIST_TRY_ASSIGN(output, make_pipe());
    KIST_TRY_ASSIGN(error, make_pipe());
    command.output = output.write.get();
    command.error = error.write.get();
  }
  Child child;
  child.finished.started = now();
  KIST_TRY_ASSIGN(child.process, sandbox.start(command));
  child.id = ++last_;
  child.sandbox = &sandbox;
  child.options = options;
  child.began = child.last_output = child.last_look = Clock::now();
  if (std::ranges::find(sandboxes_, &sandbox) == sandboxes_.end()) sandboxes_.push_back(&sandbox);
  std::optional<Id> owner = waited_for ? std::optional(child.id) : std::nullopt;
  std::optional<LineEnds> line_ends = options.terminal ? std::optional(LineEnds()) : std::nullopt;
  outputs_.push_back({std::move(output.read), Stream::output, options.label, owner, line_ends});
  if (error.read) outputs_.push_back({std::move(error.read), Stream::error, options.label, owner, std::nullopt});
  return child;
}

Result<Processes::Id> Processes::start(sandbox::Sandbox& sandbox, sandbox::Command command, const Options& options) {
  if (children_.empty()) begin_anew(options);
  KIST_TRY_ASSIGN(Child child, begin(sandbox, command, options, true));
  grace_ = children_.empty() ? options.grace : std::max(grace_, options.grace);
  children_.push_back(std::move(child));
  return children_.back().id;
}

void Processes::begin_anew(const Options& options) {
  known_ = options.known;
  grace_ = kGrace;
  asked_.reset();
  killed_ = false;
}

Result<Processes::Id> Processes::start_background(sandbox::Sandbox& sandbox, sandbox::Command command,
                                                  const Options& options) {
  if (children_.empty()) begin_anew(options);
  KIST_TRY_ASSIGN(Child child, begin(sandbox, command, options, false));
  background_.push_back(std::move(child));
  return background_.back().id;
}

Result<std::optional<std::pair<Processes::Id, Finished>>> Processes::wait(std::optional<Clock::time_point> until) {
  for (;;) {
    heed_stop();
    auto timeout = kTick;
    for (const Child& child : children_)
      if (!is_open(child.id)) timeout = milliseconds(0);
    if (until) timeout = std::clamp(std::chrono::ceil<milliseconds>(*until - Clock::now()), milliseconds(0), timeout);
    pump(timeout);
    for (auto child = children_.begin(); child != children_.end(); ++child) {
      KIST_TRY_ASSIGN(bool is_over, look_at(*child));
      if (!is_over) continue;
      for (Output& output : outputs_)
        if (output.child == child->id) output.child.reset();
      std::pair ended(child->id, std::move(child->finished));
      if (std::string& kept = ended.second.output; kept.size() > kLongestResult)
        kept.erase(0, kept.size() - kLongestResult);
      children_.erase(child);
      return ended;
    }
    if (until && Clock::now() >= *until) return std::nullopt;
  }
}

Result<bool> Processes::has_ended(Id background) {
  auto child = std::ranges::find(background_, background, &Child::id);
  if (child == background_.end()) return true;
  KIST_TRY_ASSIGN(auto ended, child->sandbox->wait(child->process, milliseconds(0)));
  if (ended) background_.erase(child);
  return ended.has_value();
}

Result<std::vector<std::pair<Processes::Id, sandbox::Ended>>> Processes::take_ended() {
  std::vector<std::pair<Id, sandbox::Ended>> all;
  for (auto child = background_.begin(); child != background_.end();) {
    KIST_TRY_ASSIGN(auto ended, child->sandbox->wait(child->process, milliseconds(0)));
    if (ended) all.emplace_back(child->id, *ended);
    child = ended ? background_.erase(child) : std::next(child);
  }
  return all;
}

Result<bool> Processes::look_at(Child& child) {
  bool open = is_open(child.id);
  Clock::time_point time = Clock::now();
  if (!child.has_ended && (!open || time - child.last_look >= kTick)) {
    child.last_look = time;
    KIST_TRY_ASSIGN(auto ended, child.sandbox->wait(child.process, open ? milliseconds(0) : kEndExpected));
    if (ended) {
      child.has_ended = true;
      child.finished.ended = *ended;
      child.finished.finished = now();
      child.drain_until = time + kDrain;
    }
  }
  if (child.has_ended) return !open || (time >= *child.drain_until && !in_grace());
  const Options& options = child.options;
  if (options.no_output_timeout && time - child.last_output > *options.no_output_timeout)
    KIST_TRY(end_for(child, child.finished.too_quiet));
  if (options.deadline && time - child.began >= *options.deadline) KIST_TRY(end_for(child, child.finished.overdue));
  if (child.kill_at && time >= *child.kill_at) {
    child.kill_at.reset();
    KIST_TRY(child.sandbox->signal(child.process, SIGKILL));
  }
  return false;
}

Status Processes::end_for(Child& child, bool& why) {
  if (child.finished.too_quiet || child.finished.overdue) return {};
  why = true;
  child.kill_at = Clock::now() + child.options.grace;
  return child.sandbox->signal(child.process, SIGTERM);
}

Status Processes::end_all() {
  if (!background_.empty() && !killed_ && stop_.get() != Stop::abort) {
    Clock::time_point begin = asked_.value_or(Clock::now());
    if (!asked_)
      for (const Child& child : background_) KIST_TRY(child.sandbox->signal(child.process, SIGTERM));
    auto is_over = [&](const Child& child) {
      auto ended = child.sandbox->wait(child.process, milliseconds(0));
      return !ended || *ended || Clock::now() >= begin + child.options.grace;
    };
    for (;;) {
      std::erase_if(background_, is_over);
      if (background_.empty() || stop_.get() == Stop::abort) break;
      pump(kEndExpected);
    }
  }
  background_.clear();
  for (sandbox::Sandbox* sandbox : sandboxes_) KIST_TRY(sandbox->quiesce());
  for (auto until = Clock::now() + kDrain; !outputs_.empty() && Clock::now() < until;) pump(kTick);
  outputs_.clear();
  return {};
}

void Processes::heed_stop() {
  Stop how = stop_.get();
  if (how <= known_ || killed_) return;
  bool over = asked_ && Clock::now() >= *asked_ + grace_;
  if (how == Stop::abort || over) {
    signal_all(SIGKILL);
    killed_ = true;
  } else if (!asked_) {
    signal_all(SIGTERM);
    asked_ = Clock::now();
  }
}

void Processes::signal_all(int number) {
  for (sandbox::Sandbox* sandbox : sandboxes_) (void)sandbox->signal_all(number);
}

bool Processes::is_open(Id child) const {
  return std::ranges::any_of(outputs_, [&](const Output& output) { return output.child == child; });
}

void Processes::pump(milliseconds timeout) {
  waiting_.clear();
  for (const Output& output : outputs_) waiting_.push_back({.fd = output.pipe.get(), .events = POLLIN, .revents = 0});
  const std::size_t first_other = waiting_.size();
  if (stop_.get() == Stop::none) waiting_.push_back({.fd = stop_.descriptor(), .events = POLLIN, .revents = 0});
  const std::size_t first_control = waiting_.size();
  for (const ControlServer* control : controls_) control->add_to(waiting_);
  if (::poll(waiting_.data(), waiting_.size(), static_cast<int>(timeout.count())) <= 0) return;

  for (std::size_t i = 0; i < first_other; ++i)
    if (waiting_[i].revents != 0) read_from(outputs_[i]);
  std::erase_if(outputs_, [](const Output& output) { return !output.pipe; });
  if (std::any_of(waiting_.begin() + static_cast<std::ptrdiff_t>(first_control), waiting_.end(),
                  [](const pollfd& one) { return one.revents != 0; }))
    for (ControlServer* control : controls_) control->serve();
}

// One piece, so that the streams take turns. Closes the pipe at its end.
void Processes::read_from(Output& output) {
  std::array<char, kPiece> buffer;
  auto count = ::read(output.pipe.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    if (output.terminal && !output.terminal->rest().empty()) take_in(output, output.terminal->rest());
    output.pipe.reset();
    return;
  }
  std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
  if (output.terminal)
    take_in(output, output.terminal->restore(bytes));
  else
    take_in(output, bytes);
}

void Processes::take_in(const Output& output, std::string_view bytes) {
  services_.log_of(output.label, output.stream, bytes);
  if (!output.child) return;
  auto child = std::ranges::find(children_, *output.child, &Child::id);
  if (child == children_.end()) return;
  child->last_output = Clock::now();
  if (output.stream == Stream::output && child->options.keep_output) append_end(child->finished.output, bytes);
}

}  // namespace kist::task
