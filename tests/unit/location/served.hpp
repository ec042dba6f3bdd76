// A real server for tests, run by a script of scripts/ as a child that ends with us.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/file.hpp"
#include "base/json.hpp"

namespace kist::location {

class Served {
 public:
  // The script's words; DIRECTORY among them stands for a fresh one. Null where this server cannot be had here.
  static std::unique_ptr<Served> start(std::vector<std::string> words);
  ~Served();
  Served(const Served&) = delete;

  // What the script says of it.
  std::string operator[](const char* name) const;

 private:
  Served() = default;
  pid_t process_ = -1;
  FileDescriptor input_;  // the server ends when it is closed
  std::optional<ScratchDirectory> directory_;
  std::unique_ptr<Json> told_;
};

}  // namespace kist::location
