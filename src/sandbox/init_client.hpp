// kist's side of a sandbox's processes: speaks with its init.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "sandbox/channel.hpp"
#include "sandbox/root.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::sandbox {

// Thread-safe: requests are answered one at a time, waiting for a process keeps nobody else.
class InitClient {
 public:
  // What an init says first.
  struct Greeting {
    FileDescriptor process;  // a pidfd
    FileDescriptor root;
    std::vector<Region> regions;
  };

  explicit InitClient(FileDescriptor channel) : channel_(std::move(channel)) {}

  // Waits until the root is built; once, before anything else. Errors: what init could not do.
  Result<Greeting> greet();

  // As in Sandbox.
  Result<ProcessId> start(const Command& command);
  Result<std::optional<Ended>> wait(ProcessId process, std::optional<std::chrono::nanoseconds> timeout);
  Status signal(ProcessId process, int number);
  Status signal_all(int number);
  Status quiesce();
  // Kills every process and forgets them; whether they left nothing in memory that outlives them.
  Result<bool> renew();
  // Kills every process and lets init go. Idempotent.
  Status close();

 private:
  struct Waited {
    FileDescriptor pipe;
    std::mutex mutex;  // of what follows
    std::optional<Ended> ended;
  };

  Result<Message> ask(const Packer& request, std::span<const int> descriptors);
  Status demand(const Packer& request);

  std::mutex channel_mutex_;
  FileDescriptor channel_;
  FileDescriptor process_;
  std::mutex processes_mutex_;
  std::map<ProcessId, std::shared_ptr<Waited>> processes_;
};

}  // namespace kist::sandbox
