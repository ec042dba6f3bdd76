// A real S3 server for a test: scripts/s3-server, run as a child that ends with us.
#pragma once

#include <optional>
#include <string>

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/json.hpp"
#include "net/s3.hpp"

namespace kist::net {

class RealS3 {
 public:
  // Empty where this server cannot be had here; `reason` says why.
  static std::optional<S3Settings> start(const std::string& kind, RealS3& server, std::string& reason);
  ~RealS3();

 private:
  pid_t process_ = -1;
  FileDescriptor input_;  // the server ends when it is closed
  std::optional<ScratchDirectory> directory_;
};

}  // namespace kist::net
