// The default repository of a home: artifacts under keys, as files expect of the bucket that they do not name. A key is
// read as a bucket's would be: the artifact of that name, or all that lies below "KEY/", or what lies in a directory
// that was put under a shorter key as it is.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/engine.hpp"
#include "model/record.hpp"
#include "store/store.hpp"

namespace kist::engine {

// What the directories in the home begin with into which a part of an artifact is copied, to be saved by itself.
inline constexpr std::string_view kPartOfKey = ".key-";

// "/a//b/" → "a/b", as far as it can be a key.
std::string key_of(std::string_view written);

// What lies there, as one artifact, whose name and path are empty. It may be made for this: the caller holds the store.
// Errors: not_found.
Result<model::ArtifactRecord> find_key(const Parts& parts, std::string_view key);

// Whole keys of all that a listing of a bucket by this prefix would show: those that begin with it, and of directories
// that are there as they are, each file. Ascending. Errors: corrupt, unavailable.
Result<std::vector<std::string>> keys_below(const Parts& parts, std::string_view prefix);

// Puts a file or directory of this machine under a key. Returns what was there before, if anything.
Result<std::optional<catalog::Key>> put_under_key(const Parts& parts, std::string_view key,
                                                  const std::filesystem::path& source);

}  // namespace kist::engine
