// A private root for a task on this machine: it looks like the host, copy-on-write, and nothing the task writes reaches
// the host but what is saved. The kernel does the work (mount, pid, ipc and, for an ordinary user, user namespaces;
// overlayfs).
//
// Each sandbox has an init (pid 1 of its pid namespace) that starts processes on request and reaps them. Whatever way
// kist ends, kill -9 included, init dies with it, and with init every process and every mount of the task.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace kist::sandbox {

// A file that is there before the first process starts.
struct File {
  std::filesystem::path path;
  std::string content;
  unsigned mode = 0644;
  bool operator==(const File&) const = default;
};

// What a task sees at a path instead of what the host has there.
struct Mount {
  enum class Kind {
    private_copy,  // the source's content, writable; changes stay in scratch, the source never changes. Costs no copy.
    read_only,     // the source itself, read-only
    shared,        // the source itself, writable by the task: volumes, directories saved while they are written
    memory,        // a new file system in memory that holds `files`, read-only: no disk ever holds them
  };
  Kind kind = Kind::private_copy;
  std::filesystem::path source;  // a directory or a file on the host
  std::filesystem::path
      target;  // absolute, in the task; parents are made; links on the way are followed inside the root
  std::vector<File> files = {};      // memory: their paths are relative to its top
  std::filesystem::path below = {};  // memory: only what lies there is shown
  bool operator==(const Mount&) const = default;
};

// How a private root is laid out. Later items lie over earlier ones: the host; `fresh`, `hidden` and `visible` (of
// these three the deeper path decides: a fresh directory of a visible project is empty); `mounts` in their order;
// `files`. A `hidden` path stays hidden below a mount too (KIST_HOME inside a project that is mounted elsewhere).
struct Layout {
  // Exists, is empty, and lies on KIST_HOME's filesystem. All that the task writes lands below it. The caller removes
  // it.
  std::filesystem::path scratch;
  std::vector<std::filesystem::path> fresh = {"/tmp", "/var/tmp", "/mnt", "/argo"};  // start empty; made where missing
  std::vector<std::filesystem::path> hidden;                                         // not to be seen at all: KIST_HOME
  std::vector<std::filesystem::path> visible;  // shown (copy-on-write) although they lie below a fresh directory: the
                                               // project, interpreters and virtual environments
  std::vector<Mount> mounts;
  std::vector<File> files;
  std::filesystem::path
      control_socket;  // a listening unix socket on the host, to be seen at kControlSocket; empty for none
  // A directory that is kept from one sandbox to the next, made where missing. For an ordinary user it holds what makes
  // the host's /usr, /etc, /var … writable inside; empty: only at their tops can a task make files.
  std::filesystem::path cache;
  bool as_root = false;  // uid 0 inside, for an ordinary user too

  // Whether two differ in no more than where they lie (scratch, control_socket).
  bool is_like(const Layout& other) const;
};

// Where a task finds the control socket.
inline constexpr const char* kControlSocket = "/.kist/task.sock";

// One process to start. The caller keeps its descriptors.
struct Command {
  std::vector<std::string> arguments;    // arguments[0] is looked up in the environment's PATH, inside the root
  std::vector<std::string> environment;  // "NAME=value"; nothing is inherited
  std::filesystem::path working_directory = "/";
  int input = -1;  // -1: /dev/null
  int output = -1;
  int error = -1;
  bool terminal = false;  // the input is one, and becomes the one that controls the process and its session
  int starter = -1;       // connected to a starter that may become the process (starter.hpp); -1: none
};

// How a process ended, and what it used together with the children it waited for.
struct Ended {
  int exit_code = 0;  // 128+signal where a signal ended it
  int signal = 0;     // 0: it exited
  bool core_dumped = false;
  std::chrono::microseconds user_time{};
  std::chrono::microseconds system_time{};
  std::uint64_t peak_memory = 0;  // bytes
};

// A process started in a sandbox, named by the sandbox.
using ProcessId = std::uint32_t;

// A path as it stands inside a sandbox now.
struct Found {
  FileDescriptor
      handle;  // O_PATH; read it by way of /proc/self/fd/N. The top path is resolved (links followed in the root)
  std::filesystem::path owned;  // where it lies wholly inside scratch, its path there (the file may be linked after
                                // close()); else empty
};

// One private root with its processes. Thread-safe: one thread may wait while another signals.
class Sandbox {
 public:
  virtual ~Sandbox() = default;  // as close()

  // Starts a process; it is the leader of a session of its own. Errors: not_found (no such program, exit code 127 by
  // custom), denied (not executable, 126), invalid (the working directory does not exist).
  virtual Result<ProcessId> start(const Command& command) = 0;

  // Waits until the process ended; nullopt when `timeout` passed first (it goes on).
  virtual Result<std::optional<Ended>> wait(ProcessId process,
                                            std::optional<std::chrono::nanoseconds> timeout = {}) = 0;

  // Sends a signal to the process and to every process of its session. Not an error where it has ended.
  virtual Status signal(ProcessId process, int signal_number) = 0;
  // To every process in the sandbox.
  virtual Status signal_all(int signal_number) = 0;

  // Kills every process of the task and waits until they are gone. The root stays and can be read by find().
  virtual Status quiesce() = 0;

  // Kills every process of the task, and looks whether the root is as open() gave it: nothing was written, no shared
  // memory or message queue is left. Where that is so (true) the sandbox can serve another task as a new one would;
  // where not, or where it cannot be told, only close() is left to do.
  virtual Result<bool> renew() = 0;

  // What stands at an absolute path inside the root, links followed inside the root. Errors: not_found.
  virtual Result<Found> find(const std::filesystem::path& inside) = 0;

  // Makes a directory (and its parents) inside the root, or writes a file, as the task's user. For loads between
  // processes.
  virtual Result<FileDescriptor> open_inside(const std::filesystem::path& inside, int flags, unsigned mode) = 0;
  virtual Status make_directories(const std::filesystem::path& inside) = 0;

  // Kills every process and lets go of the root. After it nobody can write below scratch any more, and the caller may
  // link or remove what is there. Idempotent.
  virtual Status close() = 0;
};

// What this machine lets kist do for tasks.
enum class Isolation {
  root,       // kist runs as root: overlays of every mounted filesystem
  user,       // an ordinary user: user namespace, overlays of the top directories
  directory,  // namespaces or overlays are refused: a scratch directory only; layouts that need more are refused by
              // open()
};

// Starts sandboxes from a small process that is forked before kist has threads or much memory. Thread-safe.
class Launcher {
 public:
  virtual ~Launcher() = default;

  // Forks the launcher. Call it first thing in main(), before any thread. It ends when kist ends, whatever way.
  static Result<std::unique_ptr<Launcher>> start();

  virtual Isolation isolation() const = 0;
  // Where isolation is less than it could be: why, and what to change. Empty where all is well. For `kist doctor`.
  virtual std::vector<std::string> limits() const = 0;

  // Builds a root. Errors: invalid (a path in the layout is not absolute, escapes by `..`), not_found (a source),
  // denied, unsupported (isolation is `directory` and the layout names paths outside scratch; the text says what to
  // enable).
  virtual Result<std::unique_ptr<Sandbox>> open(const Layout& layout) = 0;
};

}  // namespace kist::sandbox
