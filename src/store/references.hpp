// Named references: one small file each, refs/KIND/NAME, replaced as a whole (docs/format.md, "References"). Writers
// take turns by a lock, so that "set it if it is still what I saw" holds between processes; readers need none.
//
// Thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/digest.hpp"
#include "store/lease.hpp"

namespace kist::store {

class References {
 public:
  References(const StoreDirectory& directory, Lease& lease) : directory_(directory), lease_(lease) {}

  Status set(std::string_view name, const Digest& target, const std::optional<Digest>& expected);
  Result<Digest> get(std::string_view name) const;
  Result<std::vector<std::pair<std::string, Digest>>> list(std::string_view prefix) const;
  Status remove(std::string_view name);

 private:
  const StoreDirectory& directory_;
  Lease& lease_;
};

// The file name of a reference's name: letters, digits, '_', '-' and '.' (not first) stand for themselves, every other
// byte as %XX. Errors: invalid (empty, too long).
Result<std::string> encode_reference_name(std::string_view name);
// nullopt: not a name that encode_reference_name() gives.
std::optional<std::string> decode_reference_name(std::string_view file);

}  // namespace kist::store
