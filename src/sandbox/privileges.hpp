// What a process gives up before it runs anything of a task's.
#pragma once

namespace kist::sandbox {

// Keeps, of the capabilities this process has, those with which a task can do what it likes in its root but not undo
// the root or reach the machine behind it; the others leave every set, the bounding set included, so that sudo inside
// does not bring them back. `none`: keeps none at all.
void drop_capabilities(bool none);

// Every signal's disposition as a new program expects it, none blocked.
void reset_signals();

// Overwrites the arguments and the environment this process was started with, which everybody who may look at it can
// read (/proc/PID/environ holds the caller's secrets), and shows `name` instead.
void forget_arguments(const char* name);

}  // namespace kist::sandbox
