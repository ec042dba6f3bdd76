// The word that whoever asks `kist serve` must know.
#pragma once

#include <filesystem>
#include <string>

#include "base/result.hpp"

namespace kist::serve {

struct Token {
  std::string text;
  bool made = false;  // just now
};

// Reads the token of a file, or makes one (256 random bits, mode 0600) where there is no file. Errors: denied (others
// may read the file), invalid (it holds no token).
Result<Token> token_of(const std::filesystem::path& file);

}  // namespace kist::serve
