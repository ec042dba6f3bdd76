// The control socket: how a program inside a task speaks to kist while it runs. $KIST_TASK names a unix socket;
// requests and replies are JSON, one a line (docs/tasks.md):
//
//   {"do":"publish","name":"model","path":"/tmp/model"}  ->
//   {"ok":true,"tree":"sha256:…","bytes":123,"files":4,"left_out":0}
//   {"do":"report","text":"3/10"}                         ->  {"ok":true}
//   anything else                                         ->  {"error":"…"}
//
// `kist publish` and `kist report` are clients of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <poll.h>

#include "base/file.hpp"
#include "base/json.hpp"
#include "base/result.hpp"
#include "model/record.hpp"

namespace kist::task {

inline constexpr std::size_t kLongestRequest = 64 << 10;  // bytes of one line
inline constexpr std::size_t kLongestReport = 4 << 10;
inline constexpr std::size_t kMostConnections = 16;  // at once; further ones wait

// A socket at `path`, which must not exist, for ControlServer.
Result<FileDescriptor> listen_at(const std::filesystem::path& path);
// Closes every connection that nobody has taken yet.
void refuse_waiting(int listener);

// What requests do.
class ControlHandler {
 public:
  virtual ~ControlHandler() = default;
  // Saves what stands at an absolute path of the task now. Called from threads of the server.
  virtual Result<model::ArtifactRecord> publish(const std::string& name, const std::filesystem::path& path) = 0;
  virtual void report(std::string_view text) = 0;
};

// Serves one task's socket from that task's poll loop, so that a task which nobody speaks to costs no thread; a publish
// runs in a thread of its own while the loop goes on. Used by one thread.
class ControlServer {
 public:
  // Takes connections from a socket that listen_at() gave, and that outlives it.
  ControlServer(int listener, ControlHandler& handler);
  ~ControlServer();  // waits for requests under way

  // Adds the descriptors to wait for.
  void add_to(std::vector<pollfd>& wanted) const;
  // Does what can be done without waiting. Call it after every poll().
  void serve();

 private:
  struct Connection;
  void accept_waiting();
  void read_requests(Connection& connection);
  void answer(Connection& connection, const std::string& line);
  void publish_aside(Connection& connection, std::string name, std::filesystem::path path);

  ControlHandler& handler_;
  int listener_;
  FileDescriptor wake_;  // readable when a publish has ended; made with the first connection
  std::vector<std::unique_ptr<Connection>> connections_;
};

// An artifact's name as a task may choose it: components that are not empty, `.` or `..`, no control characters.
Status check_artifact_name(std::string_view name);

// The client's side, for a program inside a task: $KIST_TASK must be set. Errors: unavailable (not inside a task, or
// the task has ended), and what the task's kist says.
struct Published {
  std::string tree;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  std::uint64_t left_out = 0;  // how much could not be kept; the task's log names it
};
Result<Published> publish(std::string_view name, const std::filesystem::path& path);
Status report(std::string_view text);

}  // namespace kist::task
