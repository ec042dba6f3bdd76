// The secrets of a home: named sets of keys with values, for tasks and locations that ask for them by name.
//
// Each is a file of its own, KIST_HOME/secrets/NAME, mode 0600 in a directory of mode 0700. They are not encrypted: the
// key would have to lie beside them, so that runs can start unattended, and would protect nothing. They are in no
// database, no record of a run and no store, so none of what is pushed, shown or backed up with a run holds a value.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"
#include "catalog/home.hpp"

namespace kist::catalog {

class Secrets {
 public:
  using Values = std::map<std::string, std::string>;  // by key
  struct Listed {
    std::string name;
    std::vector<std::string> keys;
    bool damaged = false;  // its file cannot be read as a secret: no keys are known
  };
  static constexpr std::size_t kLargest = 1 << 20;  // bytes of all values of one secret

  explicit Secrets(const Home& home) : directory_(home.path() / "secrets") {}

  // By name. Errors: corrupt, denied.
  Result<std::vector<Listed>> list() const;
  // Errors: not_found, with what to do.
  Result<Values> get(std::string_view name) const;
  // Replaces all keys of a secret, made where there is none. Errors: invalid (a name, a key, too large).
  Status put(std::string_view name, const Values& values) const;
  // Sets one key and leaves the others, whoever else writes meanwhile. `only`: conflict where there is such a key
  // (absent), not_found where there is none (present).
  enum class Only { any, absent, present };
  Status set(std::string_view name, std::string_view key, std::string_view value, Only only) const;
  // Random bytes that only this home has, made when they are first asked for. To be mixed into digests of values that
  // others may come to see: without them a short value would be found by trying. Errors: denied, no_space, io.
  Result<std::string> salt() const;
  // Removes a key, and the secret with its last one; without a key all of it. Errors: not_found.
  Status remove(std::string_view name) const;
  Status remove(std::string_view name, std::string_view key) const;

 private:
  Result<Values> read(std::string_view name) const;
  // Both with the lock held.
  Status write(std::string_view name, const Values& values) const;
  Status unlink(std::string_view name) const;
  Result<FileLock> lock() const;

  std::filesystem::path directory_;
};

}  // namespace kist::catalog
