// An artifact of files only, as CircleCI keeps them: empty directories vanish, a link to a file inside the tree becomes
// that file, other links are left out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace kist::task {

struct FilesOnly {
  std::uint64_t files = 0;       // 0: there is nothing to keep
  std::filesystem::path source;  // what to save: the source itself where all of it is kept, else a copy in `staging`
  std::vector<std::string> left_out;  // "PATH: WHY", relative to the source
};

// `source` is the path to read the directory by, `inside` its path in the task (absolute links below it count as
// inside). `staging` does not exist; it is made only where something must be left out, of hard links where the file
// system lets them.
Result<FilesOnly> files_only(const std::filesystem::path& source, const std::filesystem::path& inside,
                             const std::filesystem::path& staging);

}  // namespace kist::task
