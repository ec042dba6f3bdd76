// A terminal for a process of a task, where nobody types.
#pragma once

#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::task {

struct PseudoTerminal {
  FileDescriptor process_side;  // its input, output and error
  FileDescriptor our_side;      // what it shows; does not block. Closed, it hangs up.
};

// One of the sandbox's own terminals, so that the process finds it by its name; one of the machine's where it has none.
// Errors: what the system says.
Result<PseudoTerminal> open_pseudo_terminal(sandbox::Sandbox& sandbox);

// A terminal makes "\r\n" of a line's end. Takes that back, as the logs of containers do, piece by piece.
class LineEnds {
 public:
  std::string restore(std::string_view piece);
  // What was held back when nothing more comes.
  std::string_view rest() const { return held_ ? "\r" : ""; }

 private:
  bool held_ = false;  // the last piece ended with "\r"
};

}  // namespace kist::task
