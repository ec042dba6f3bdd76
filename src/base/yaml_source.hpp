// The text of a YAML file on its way into the parser: checked to be text at all, and mended where real files use an
// escape that YAML does not have. Part of base/yaml; nothing else includes it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/yaml.hpp"

namespace kist::yaml {

class Source {
 public:
  // Copies the text without its byte order mark. Errors: invalid, where it is not UTF-8 or holds control characters.
  static Result<Source> make(std::string_view text, std::string_view name);

  std::string_view text() const { return text_; }

  // The character with this index, counted in characters as libyaml does; empty at the end. Takes a walk over the text.
  std::string_view character(std::size_t index) const { return character_at(offset_of(index)); }

  // In double-quoted text `\'` is an error to YAML, but Go's YAML library reads it as `'`, and files depend on it.
  // Takes the backslashes before single quotes out of the rest of the scalar that has one at `index`, which is at
  // `place`. False where there is none.
  bool mend_escaped_quotes(std::size_t index, Mark place);

  // Where that place of text() is in the file as it was written.
  Mark original(Mark mark) const;

 private:
  explicit Source(std::string_view text) : text_(text) {}
  std::size_t offset_of(std::size_t index) const;
  std::string_view character_at(std::size_t offset) const;

  std::string text_;
  std::vector<Mark> removed_;  // the backslashes taken out, in the file's order
};

// "NAME:LINE:COLUMN: text".
std::unexpected<Error> fail_at(std::string_view name, Mark mark, std::string_view text);

}  // namespace kist::yaml
