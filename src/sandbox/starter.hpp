// Starters: processes outside of every sandbox that become processes inside. An interpreter that has imported what all
// steps of a kind import becomes such a step in a hundredth of the time.
//
// A starter is a program of one thread. Asked over a connection of its own (channel.hpp), it makes a child that enters
// the sandbox's namespaces and there makes another, whose parent ends: so init becomes the parent of it, kills it with
// the rest, and learns how it ended, as with every process that it starts itself.
//
//   init → starter   1 where there is a user namespace, else 0; arguments; environment; working directory. Descriptors:
//                    the user namespace, where there is one; the ipc, pid and mount namespace; the root; input, output,
//                    error
//   starter → init   0 and the process's id in the sandbox. It is then the leader of a session, in its directory, with
//                    its streams, and has no more rights than init has: it has seen to that, and that its working
//                    directory and all it has loaded are what a new process would find in the root
//   init → starter   anything: it may begin
//
// Where there is no answer, or the connection ends, init starts the program by itself.
#pragma once

#include "base/result.hpp"
#include "sandbox/program.hpp"

namespace kist::sandbox {

// Called by an init. The process is this one's child and waits for let_begin(). Errors: the starter cannot, or has
// doubts; nothing is left of it then.
Result<pid_t> start_by_starter(int connection, const Program& program, bool has_user_namespace);

void let_begin(int connection);

}  // namespace kist::sandbox
