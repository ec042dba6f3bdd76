#include "base/yaml_source.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/utf8.hpp"

namespace kist::yaml {
namespace {

bool before(Mark a, Mark b) {
  return a.line != b.line ? a.line < b.line : a.column < b.column;
}

// Moves `mark` over one character. The break of two characters, CR LF, counts at its second.
void advance(Mark& mark, std::string_view character, std::string_view next) {
  if (character == "\n" || (character == "\r" && next != "\n")) {
    ++mark.line;
    mark.column = 1;
  } else {
    ++mark.column;
  }
}

}  // namespace

std::unexpected<Error> fail_at(std::string_view name, Mark mark, std::string_view text) {
  return fail(ErrorKind::invalid, fmt::format("{}:{}:{}: {}", name, mark.line, mark.column, text));
}

Result<Source> Source::make(std::string_view text, std::string_view name) {
  constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  Source source(text);
  Mark mark{1, 1};
  for (std::size_t i = 0; i < text.size();) {
    std::string_view character = source.character_at(i);
    const auto first = static_cast<unsigned char>(text[i]);
    if (character.empty())
      return fail_at(name, mark, fmt::format("byte 0x{:02x} is not UTF-8: expected a text file in UTF-8", first));
    bool control = (first < 0x20 && first != '\t' && first != '\n' && first != '\r') || first == 0x7F;
    if (control)
      return fail_at(
          name, mark,
          fmt::format("control character 0x{:02x}: expected text; in double quotes it is written \"\\x{:02x}\"", first,
                      first));
    i += character.size();
    advance(mark, character, source.character_at(i));
  }
  return source;
}

std::string_view Source::character_at(std::size_t offset) const {
  std::string_view rest = std::string_view(text_).substr(std::min(offset, text_.size()));
  return rest.empty() ? rest : rest.substr(0, utf8_length(rest));
}

std::size_t Source::offset_of(std::size_t index) const {
  std::size_t offset = 0;
  for (; index > 0 && offset < text_.size(); --index) offset += character_at(offset).size();
  return offset;
}

bool Source::mend_escaped_quotes(std::size_t index, Mark place) {
  std::size_t offset = offset_of(index);
  auto escaped_quote = [&] { return text_.compare(offset, 2, "\\'") == 0; };
  if (!escaped_quote()) return false;
  std::string mended = text_.substr(0, offset);
  std::vector<Mark> removed;
  auto copy = [&] {
    std::string_view character = character_at(offset);
    offset += character.size();
    advance(place, character, character_at(offset));
    mended += character;
  };
  while (offset < text_.size() && text_[offset] != '"') {
    if (escaped_quote()) {
      removed.push_back(original(place));
      ++place.column;
      ++offset;
    } else if (text_[offset] == '\\') {
      copy();
    }
    if (offset < text_.size()) copy();
  }
  mended += text_.substr(offset);
  text_ = std::move(mended);
  removed_.insert(removed_.end(), removed.begin(), removed.end());
  std::sort(removed_.begin(), removed_.end(), before);
  return true;
}

Mark Source::original(Mark mark) const {
  auto removed = std::lower_bound(removed_.begin(), removed_.end(), Mark{mark.line, 0}, before);
  for (; removed != removed_.end() && removed->line == mark.line; ++removed)
    if (removed->column <= mark.column) ++mark.column;
  return mark;
}

}  // namespace kist::yaml
