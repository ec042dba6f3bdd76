// Several runs one after the other, from one command line.
#pragma once

#include <cstddef>
#include <functional>

#include "base/result.hpp"

namespace kist::cli {

// Calls `perform` with 0 … count-1, each in a process of its own that lives for that run only: a run wants one without
// threads and open databases, whatever the run before it left. A failed run does not keep the next from starting; one
// that was interrupted does, and so does kist itself being unable. Signals reach the run that goes on. Returns the exit
// code: of what stopped it, else 1 where a run failed. In the child it returns what `perform` did. Call it before there
// are threads.
Result<int> perform_each(std::size_t count, const std::function<Result<int>(std::size_t)>& perform);

}  // namespace kist::cli
