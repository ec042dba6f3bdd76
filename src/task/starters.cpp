#include "task/starters.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iterator>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/channel.hpp"
#include "task/paths.hpp"

namespace kist::task {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostStarters = 4;  // each holds tens of megabytes
constexpr std::chrono::milliseconds kUntilReady(15000);
constexpr std::chrono::milliseconds kStopLook(100);
constexpr int kFirstFree = 16;  // above the descriptors that a starter is given

std::vector<char*> starter_words(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

bool is_indifferent(const model::Starter& starter, const std::string& variable) {
  return std::ranges::any_of(starter.indifferent,
                             [&](const std::string& begin) { return variable.starts_with(begin); });
}

// PROGRAM -c TEXT with [0] /dev/null, [1, 2] a pipe, [3] the control channel, [4] the pipe's other end: so it can tell
// whether anything was written. -1: it cannot be started.
pid_t spawn_starter(std::vector<std::string> arguments, std::vector<std::string> environment, int control) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return -1;
  const FileDescriptor reading(::fcntl(ends[0], F_DUPFD_CLOEXEC, kFirstFree));
  const FileDescriptor writing(::fcntl(ends[1], F_DUPFD_CLOEXEC, kFirstFree));
  const FileDescriptor channel(::fcntl(control, F_DUPFD_CLOEXEC, kFirstFree));
  ::close(ends[0]);
  ::close(ends[1]);
  if (!reading || !writing || !channel) return -1;

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  for (const int stream : {1, 2}) ::posix_spawn_file_actions_adddup2(&actions, writing.get(), stream);
  ::posix_spawn_file_actions_adddup2(&actions, channel.get(), 3);
  ::posix_spawn_file_actions_adddup2(&actions, reading.get(), 4);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, 5);  // what kist's own caller left open
  ::posix_spawn_file_actions_addchdir_np(&actions, "/");
  sigset_t set;
  sigemptyset(&set);
  ::posix_spawnattr_setsigmask(&attributes, &set);
  sigfillset(&set);
  ::posix_spawnattr_setsigdefault(&attributes, &set);
  // A session of its own: Ctrl+C is for kist to hear.
  ::posix_spawnattr_setflags(&attributes,
                             static_cast<short>(POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  pid_t process = -1;
  const int failed = ::posix_spawn(&process, arguments.front().c_str(), &actions, &attributes,
                                   starter_words(arguments).data(), starter_words(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  return failed == 0 ? process : -1;
}

// Whether a starter has said that it is ready; it says so once, and nobody takes it.
bool has_said_ready(int control) {
  char first = 0;
  return ::recv(control, &first, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

}  // namespace

Result<SpareStarters> SpareStarters::make() {
  KIST_TRY_ASSIGN(auto ends, sandbox::make_channel());
  return SpareStarters{.in = std::move(ends.first), .out = std::move(ends.second)};
}

Starters::Starters(const SpareStarters* spare) : spare_(spare) {
  if (spare_ == nullptr) return;
  for (pollfd waiting{spare_->out.get(), POLLIN, 0}; ::poll(&waiting, 1, 0) > 0;) {
    auto message = sandbox::receive_message(spare_->out.get());
    if (!message || !*message || (*message)->descriptors.empty()) return;
    Key key;
    sandbox::Unpacker((*message)->bytes).get(key);
    auto one = std::make_shared<One>();
    one->control = std::move((*message)->descriptors.front());
    all_.emplace(std::move(key), std::move(one));
  }
}

Starters::~Starters() {
  for (auto& [key, one] : all_) {
    const std::array<int, 1> control{one->control.get()};
    const bool is_kept = spare_ != nullptr && !one->is_lost && has_said_ready(one->control.get()) &&
                         sandbox::send_message(spare_->in.get(), sandbox::Packer().add(key).bytes(), control);
    if (!is_kept) end(*one);
  }
}

FileDescriptor Starters::connect(const model::Starter& starter, const fs::path& program,
                                 const std::vector<std::string>& environment, const StopSignal& stop, Stop known) {
  Key key{program.native(), starter.text};
  std::ranges::copy_if(environment, std::back_inserter(key),
                       [&](const std::string& variable) { return !is_indifferent(starter, variable); });
  const std::vector<std::string> variables(key.begin() + 2, key.end());

  for (int tries = 2; tries > 0; --tries) {
    std::shared_ptr<One> one;
    {
      std::scoped_lock lock(mutex_);
      auto found = all_.find(key);
      if (found == all_.end()) {
        if (all_.size() >= kMostStarters) return {};
        found = all_.emplace(key, begin(starter, program, variables)).first;
      }
      one = found->second;
      if (one->is_lost) return {};
    }
    const Readiness readiness = wait_until_ready(*one, stop, known);
    if (readiness == Readiness::unknown) return {};
    std::scoped_lock lock(mutex_);
    if (readiness == Readiness::lost) {
      end(*one);
      return {};
    }
    auto ends = sandbox::make_channel();
    if (!ends) return {};
    const std::array<int, 1> theirs{ends->second.get()};
    if (sandbox::send_message(one->control.get(), "1", theirs)) return std::move(ends->first);
    end(*one);  // it was not needed for a while
    if (auto found = all_.find(key); found != all_.end() && found->second == one) all_.erase(found);
  }
  return {};
}

std::shared_ptr<Starters::One> Starters::begin(const model::Starter& starter, const fs::path& program,
                                               std::vector<std::string> environment) {
  auto one = std::make_shared<One>();
  one->is_lost = true;
  auto ends = sandbox::make_channel();
  if (!ends) return one;
  one->process = spawn_starter({program.native(), "-c", starter.text}, std::move(environment), ends->second.get());
  one->control = std::move(ends->first);
  one->began = Clock::now();
  one->is_lost = one->process < 0;
  return one;
}

// Others may wait for the same one; each heeds what its own task is asked.
Starters::Readiness Starters::wait_until_ready(const One& one, const StopSignal& stop, Stop known) {
  while (true) {
    if (has_said_ready(one.control.get())) return Readiness::ready;
    if (stop.get() > known) return Readiness::unknown;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(one.began + kUntilReady - Clock::now());
    if (left.count() <= 0) return Readiness::lost;
    // Once it was asked something the signal stays readable, and is looked at now and then.
    std::array<pollfd, 2> waited{{{one.control.get(), POLLIN, 0}, {stop.descriptor(), POLLIN, 0}}};
    const bool was_asked = known != Stop::none;
    ::poll(waited.data(), was_asked ? 1 : 2, static_cast<int>((was_asked ? std::min(left, kStopLook) : left).count()));
    const bool has_ended = waited[0].revents != 0 && !has_said_ready(one.control.get());
    if (has_ended) return Readiness::lost;
  }
}

std::optional<fs::path> program_outside(const sandbox::Command& command, const Host& host, const fs::path& project) {
  constexpr std::string_view kPath = "PATH=";
  const std::string& name = command.arguments.front();
  if (name.contains('/')) return std::nullopt;
  std::vector<fs::path> directories;
  for (const std::string& variable : command.environment) {
    if (!variable.starts_with(kPath)) continue;
    std::istringstream in(variable.substr(kPath.size()));
    for (std::string directory; std::getline(in, directory, ':');) directories.emplace_back(directory);
  }
  auto program = find_program(directories, name);
  if (!program && name == "python" && host.needs_python_alias) program = find_program(directories, "python3");
  if (!program || !is_within(*program, project)) return program;
  const char* active = std::getenv("VIRTUAL_ENV");
  if (active == nullptr || !is_within(*program, active)) return std::nullopt;
  return program;
}

// One that another kist began ends by itself when nobody holds its control.
void Starters::end(One& one) {
  one.is_lost = true;
  if (one.process < 0) return;
  ::kill(one.process, SIGKILL);
  while (::waitpid(one.process, nullptr, 0) < 0 && errno == EINTR) {
  }
  one.process = -1;
}

}  // namespace kist::task
