// The init of a sandbox, pid 1 of its pid namespace: builds the root, starts processes on request, reaps everything,
// tells how they ended. It is a clone of the launcher, so it is small and has one thread.
//
// It talks over one channel: a request, then its answer. How a process ended is written to a pipe that came with the
// request to start it. When the channel is closed, or the launcher gone, whatever way kist ended, init exits, and the
// kernel kills all that is left; where there is no pid namespace, init kills it before it exits.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/file.hpp"
#include "sandbox/host.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::sandbox {

enum class Demand : std::uint64_t {
  start = 1,  // a Command, with [input, output, error, pipe for Ended] → 0 and the process's id, or a kind of error and
              // its text
  signal,     // a process id, a signal
  signal_all,  // a signal
  quiesce,     // kills all, answers when they are gone
  renew,       // the same → 0 and 1 where they left nothing in memory, or 0
};

// Of the bits of a start that say which of the three streams came with it: the first is a terminal; a connection to a
// starter is the last descriptor.
inline constexpr std::uint64_t kHasTerminal = 1U << 3;
inline constexpr std::uint64_t kHasStarter = 1U << 4;

// What an init is born with.
struct Birth {
  Layout layout;
  Isolation isolation = Isolation::root;
  const Host* host = nullptr;
  std::filesystem::path skeleton;
  uid_t user = 0;  // outside a user namespace
  gid_t group = 0;
  FileDescriptor channel;
  int life = -1;  // readable when the launcher is gone
};

// Serves a sandbox in this process, which is alone in its new namespaces. The channel gets the first message: 0 and the
// regions, with descriptors of this process and of the root; or a kind of error plus one and its text.
[[noreturn]] void run_init(Birth birth);

// In a new user namespace: this user becomes `inside` there.
Status map_user(uid_t user, gid_t group, uid_t inside, gid_t inside_group);

}  // namespace kist::sandbox
