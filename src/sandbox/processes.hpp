// The processes of a task, seen and signalled by its init.
#pragma once

#include <sys/types.h>

namespace kist::sandbox {

// Sends a signal once to every process of a session; a process that one of them starts meanwhile gets it too.
void signal_session(pid_t leader, int number);

// To every process below this one, however deep. For an init without a pid namespace of its own, which is a subreaper,
// so that whoever is left alone comes to it. False: there was none.
bool signal_descendants(int number);

}  // namespace kist::sandbox
