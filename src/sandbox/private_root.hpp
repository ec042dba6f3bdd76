// A sandbox with a root of its own, from kist's side.
#pragma once

#include <memory>

#include "base/file.hpp"
#include "base/result.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::sandbox {

// Waits until the init at the other end of `channel` has built the root. Errors: what it could not do.
Result<std::unique_ptr<Sandbox>> open_private_root(FileDescriptor channel);

}  // namespace kist::sandbox
