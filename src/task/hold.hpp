// A process that is held before it begins, or after it has ended, for somebody who wants to look around in its root:
// until a file is there. The file is made in the root, or by way of a directory that is open in this process.
#pragma once

#include <filesystem>
#include <string>

#include "base/file.hpp"
#include "base/result.hpp"
#include "model/workflow.hpp"
#include "sandbox/sandbox.hpp"

namespace kist::task {

class Hold {
 public:
  enum class When { before, after };
  // Whether a process is to be held then.
  static bool is_wanted(const model::Run& run, When when);
  // Errors: those of the root; nothing can be held then.
  static Result<Hold> begin(const model::Run& run, When when, sandbox::Sandbox& sandbox);

  bool is_released() const;
  // What to do, for people.
  const std::string& advice() const { return advice_; }

 private:
  Hold(sandbox::Sandbox& sandbox, std::filesystem::path file) : sandbox_(&sandbox), file_(std::move(file)) {}

  sandbox::Sandbox* sandbox_;
  std::filesystem::path file_;  // in the root
  FileDescriptor directory_;
  FileDescriptor top_;
  std::string advice_;
};

}  // namespace kist::task
