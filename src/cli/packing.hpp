// Artifacts as the archives their workflow asks for: .tgz and .zip, as Argo would have stored them.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"
#include "model/address.hpp"
#include "model/record.hpp"
#include "store/store.hpp"

namespace kist::cli {

// The artifact's address, with the ending of its archive: "hello-art.tgz".
std::string packed_name(const model::AddressedArtifact& artifact);

// Writes the archive to a file, which is there whole or not at all. A directory artifact's entries are NAME/…, a file
// artifact's is NAME, after the path that the task had it at. Errors: no_space, denied, corrupt.
Status pack(store::Store& store, const model::ArtifactRecord& artifact, const std::filesystem::path& target);

}  // namespace kist::cli
