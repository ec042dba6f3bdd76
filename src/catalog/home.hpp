// The layout of KIST_HOME.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.hpp"

namespace kist::catalog {

class Home {
 public:
  // $KIST_HOME, or ~/.kist; made where missing (mode 0700). Errors: denied, no_space, with what to do; unsupported
  // (inside a task, which does not see the home it is run from, and gets none of its own unasked).
  static Result<Home> open();
  static Result<Home> open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path store() const { return path_ / "store"; }
  std::filesystem::path catalog() const { return path_ / "catalog.db"; }
  std::filesystem::path scratch() const { return path_ / "scratch"; }
  // Of one run: its lock file `owner`, and `logs/` with one file a node while it runs.
  std::filesystem::path run(std::string_view name) const { return path_ / "runs" / name; }

  // The reserve is a file that takes some space, so that on a full disk there is enough to write down what is removed.
  // Made where it is missing and the disk has plenty.
  void keep_reserve() const;
  // Gives its space to the disk; whether there was one. Who did that and is done calls keep_reserve().
  bool give_up_reserve() const;

 private:
  explicit Home(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

}  // namespace kist::catalog
