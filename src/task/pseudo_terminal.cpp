#include "task/pseudo_terminal.hpp"

#include <cstdlib>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace kist::task {

Result<PseudoTerminal> open_pseudo_terminal(sandbox::Sandbox& sandbox) {
  constexpr int kFlags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  PseudoTerminal terminal;
  if (auto own = sandbox.open_inside("/dev/pts/ptmx", kFlags, 0))
    terminal.our_side = std::move(*own);
  else
    terminal.our_side.reset(::open("/dev/ptmx", kFlags));
  if (!terminal.our_side || ::unlockpt(terminal.our_side.get()) != 0) return fail_errno("cannot make a terminal");
  // By its name it would be looked for among the machine's.
  terminal.process_side.reset(::ioctl(terminal.our_side.get(), TIOCGPTPEER, kFlags));
  if (!terminal.process_side || ::fcntl(terminal.our_side.get(), F_SETFL, O_RDWR | O_NONBLOCK) != 0)
    return fail_errno("cannot make a terminal");
  return terminal;
}

std::string LineEnds::restore(std::string_view piece) {
  std::string text;
  text.reserve(piece.size() + 1);
  for (const char byte : piece) {
    if (held_ && byte != '\n') text += '\r';
    held_ = byte == '\r';
    if (!held_) text += byte;
  }
  return text;
}

}  // namespace kist::task
