// Sprig's functions of texts. The text comes last, for pipes.
#include <algorithm>

#include <fmt/format.h>

#include "expression/characters.hpp"
#include "expression/functions.hpp"

namespace kist::expression {
namespace {

// A text of a plain function of the last argument, a text.
template <std::string (*kChange)(std::string_view)>
Result<Value> changed(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  return call.work.make(kChange(text));
}

struct TwoTexts {
  std::string part, text;
};
Result<TwoTexts> two_texts(const Call& call) {
  KIST_TRY_ASSIGN(std::string part, call.text(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  return TwoTexts{std::move(part), std::move(text)};
}

Result<Value> trim_all(const Call& call) {
  KIST_TRY_ASSIGN(TwoTexts is, two_texts(call));
  return call.work.make(trim(is.text, is.part));
}
Result<Value> trim_prefix(const Call& call) {
  KIST_TRY_ASSIGN(TwoTexts is, two_texts(call));
  return call.work.make(is.text.starts_with(is.part) ? is.text.substr(is.part.size()) : is.text);
}
Result<Value> trim_suffix(const Call& call) {
  KIST_TRY_ASSIGN(TwoTexts is, two_texts(call));
  bool ends = is.text.ends_with(is.part);
  return call.work.make(ends ? is.text.substr(0, is.text.size() - is.part.size()) : is.text);
}
Result<Value> contains(const Call& call) {
  return then(two_texts(call), [](const TwoTexts& is) { return Value(is.text.contains(is.part)); });
}
Result<Value> has_prefix(const Call& call) {
  return then(two_texts(call), [](const TwoTexts& is) { return Value(is.text.starts_with(is.part)); });
}
Result<Value> has_suffix(const Call& call) {
  return then(two_texts(call), [](const TwoTexts& is) { return Value(is.text.ends_with(is.part)); });
}

Result<Value> repeat(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t count, call.integer(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  if (count < 0) return fail(ErrorKind::invalid, fmt::format("{} is less than 0", count));
  constexpr std::int64_t kMost = 1'000'000;
  if (count > kMost) return fail(ErrorKind::invalid, fmt::format("{} is more than {}", count, kMost));
  KIST_TRY(call.work.spend((text.size() + 1) * static_cast<std::size_t>(count)));
  std::string result;
  for (std::int64_t i = 0; i < count; ++i) result += text;
  return call.work.make(std::move(result));
}

Result<Value> replace(const Call& call) {
  KIST_TRY_ASSIGN(std::string from, call.text(0));
  KIST_TRY_ASSIGN(std::string to, call.text(1));
  KIST_TRY_ASSIGN(std::string text, call.text(2));
  KIST_TRY_ASSIGN(std::string result, replace_all(text, from, to, -1, call.work));
  return call.work.make(std::move(result));
}

// The first (negative: the last) bytes.
Result<Value> trunc(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t count, call.integer(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  auto size = static_cast<std::int64_t>(text.size());
  if (count < 0 && size + count > 0) return call.work.make(text.substr(static_cast<std::size_t>(size + count)));
  if (count >= 0 && size > count) text.resize(static_cast<std::size_t>(count));
  return call.work.make(std::move(text));
}

Result<Value> substr(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t start, call.integer(0));
  KIST_TRY_ASSIGN(std::int64_t end, call.integer(1));
  KIST_TRY_ASSIGN(std::string text, call.text(2));
  auto size = static_cast<std::int64_t>(text.size());
  if (start < 0) start = 0;
  if (end < 0 || end > size) end = size;
  if (start > end)
    return fail(ErrorKind::invalid, fmt::format("the part {} to {} is not in a text of {} bytes", start, end, size));
  return call.work.make(text.substr(static_cast<std::size_t>(start), static_cast<std::size_t>(end - start)));
}

std::string without_blanks(std::string_view text) {
  std::u32string all = decode(text);
  std::erase_if(all, is_blank);
  return encode(all);
}

std::string initials(std::string_view text) {
  std::u32string result;
  bool front = true;
  for (char32_t character : decode(text)) {
    if (front && !is_blank(character)) result += character;
    front = is_blank(character);
  }
  return encode(result);
}

// "…" for what is cut off, so that `width` characters are left.
constexpr std::string_view kDots = "...";

Result<Value> abbrev(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t width, call.integer(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  if (width < 4 || static_cast<std::int64_t>(text.size()) <= width) return call.work.make(std::move(text));
  return call.work.make(text.substr(0, static_cast<std::size_t>(width) - kDots.size()).append(kDots));
}

Result<Value> abbrev_both(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t offset, call.integer(0));
  KIST_TRY_ASSIGN(std::int64_t width, call.integer(1));
  KIST_TRY_ASSIGN(std::string text, call.text(2));
  auto size = static_cast<std::int64_t>(text.size());
  auto dots = static_cast<std::int64_t>(kDots.size());
  if (width < 4 || (offset > 0 && width < 7) || size <= width) return call.work.make(std::move(text));
  offset = std::clamp<std::int64_t>(offset, 0, size);
  if (size - offset < width - dots) offset = size - (width - dots);
  auto part = [&](std::int64_t from, std::int64_t count) {
    return text.substr(static_cast<std::size_t>(from), static_cast<std::size_t>(count));
  };
  if (offset <= 4) return call.work.make(part(0, width - dots).append(kDots));
  std::string front(kDots);
  if (offset + width - dots < size) return call.work.make(front + part(offset, width - 2 * dots).append(kDots));
  return call.work.make(front + part(size - (width - dots), width - dots));
}

Result<std::string> indented(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t spaces, call.integer(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  constexpr std::int64_t kMost = 10'000;
  if (spaces < 0 || spaces > kMost) return fail(ErrorKind::invalid, fmt::format("{} is not 0 to {}", spaces, kMost));
  std::string pad(static_cast<std::size_t>(spaces), ' ');
  KIST_TRY_ASSIGN(std::string result, replace_all(text, "\n", "\n" + pad, -1, call.work));
  return pad + result;
}
Result<Value> indent(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, indented(call));
  return call.work.make(std::move(text));
}
Result<Value> nindent(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, indented(call));
  return call.work.make("\n" + text);
}

// As Go's %q: escaped, in quotes.
std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char32_t character : decode(text)) {
    constexpr std::u32string_view kSpecial = U"\a\b\f\n\r\t\v\\\"";
    constexpr std::string_view kLetters = "abfnrtv\\\"";
    if (std::size_t at = kSpecial.find(character); at != std::u32string_view::npos)
      result += {'\\', kLetters[at]};
    else if (character < 0x20 || character == 0x7F)
      result += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(character));
    else if (character >= 0xDC00 && character < 0xDD00)
      result += fmt::format("\\x{:02x}", static_cast<std::uint32_t>(character - 0xDC00));
    else
      result += encode(std::u32string(1, character));
  }
  return result + '"';
}

Result<Value> words(const Call& call, std::string (*word)(std::string_view)) {
  std::string result;
  bool first = true;
  for (const Value& value : call.arguments) {
    if (value.is_nil()) continue;
    KIST_TRY(call.work.spend(value.weight()));
    if (!std::exchange(first, false)) result += ' ';
    result += word(to_plain_text(value));
  }
  return call.work.make(std::move(result));
}
Result<Value> quote(const Call& call) {
  return words(call, quoted);
}
Result<Value> squote(const Call& call) {
  return words(call, [](std::string_view text) { return fmt::format("'{}'", text); });
}
Result<Value> cat(const Call& call) {
  return words(call, [](std::string_view text) { return std::string(text); });
}

Result<Value> plural(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t count, call.integer(2));
  return call[count == 1 ? 0 : 1];
}

// Lines of at most `width` characters, broken at blanks; a longer word is cut where that is asked for.
std::string wrapped(std::string_view text, std::size_t width, std::string_view line_break, bool cut) {
  std::u32string all = decode(text);
  std::u32string separator = decode(line_break);
  std::u32string result;
  std::size_t at = 0;
  while (all.size() - at > width) {
    if (all[at] == ' ') {
      ++at;
      continue;
    }
    std::size_t blank = all.rfind(U' ', at + width);
    bool found = blank != std::u32string::npos && blank >= at;
    if (!found && !cut) {
      blank = all.find(U' ', at + width);
      found = blank != std::u32string::npos;
      if (!found) break;
    }
    std::size_t end = found ? blank : at + width;
    result += all.substr(at, end - at) + separator;
    at = found ? end + 1 : end;
  }
  return encode(result + all.substr(at));
}

Result<Value> wrap(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t width, call.integer(0));
  KIST_TRY_ASSIGN(std::string text, call.text(1));
  return call.work.make(wrapped(text, static_cast<std::size_t>(std::max<std::int64_t>(width, 1)), "\n", false));
}
Result<Value> wrap_with(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t width, call.integer(0));
  KIST_TRY_ASSIGN(std::string separator, call.text(1));
  KIST_TRY_ASSIGN(std::string text, call.text(2));
  KIST_TRY(call.work.spend(text.size() * (separator.size() + 1)));
  if (separator.empty()) separator = "\n";
  return call.work.make(wrapped(text, static_cast<std::size_t>(std::max<std::int64_t>(width, 1)), separator, true));
}

Result<Value> map_of(const std::vector<std::string>& parts, Work& work) {
  Map map;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    KIST_TRY_ASSIGN(map[fmt::format("_{}", i)], work.make(parts[i]));
  }
  return work.make(std::move(map));
}
Result<Value> split_map(const Call& call) {
  KIST_TRY_ASSIGN(TwoTexts is, two_texts(call));
  KIST_TRY(afford_split(is.text, is.part, call.work));
  return map_of(split(is.text, is.part, -1, false), call.work);
}
Result<Value> split_n(const Call& call) {
  KIST_TRY_ASSIGN(std::string separator, call.text(0));
  KIST_TRY_ASSIGN(std::int64_t most, call.integer(1));
  KIST_TRY_ASSIGN(std::string text, call.text(2));
  KIST_TRY(afford_split(text, separator, call.work));
  return map_of(split(text, separator, most, false), call.work);
}
Result<Value> split_list(const Call& call) {
  KIST_TRY_ASSIGN(TwoTexts is, two_texts(call));
  KIST_TRY(afford_split(is.text, is.part, call.work));
  return call.work.make_texts(split(is.text, is.part, -1, false));
}

// The texts of a list's elements, or of one value; nil leaves none.
Result<std::vector<std::string>> texts_of(const Value& value, Work& work) {
  KIST_TRY(work.spend(value.weight()));
  std::vector<std::string> texts;
  if (const List* list = value.list()) {
    for (const Value& item : *list)
      if (!item.is_nil()) texts.push_back(to_plain_text(item));
  } else if (!value.is_nil()) {
    texts.push_back(to_plain_text(value));
  }
  return texts;
}
Result<Value> to_strings(const Call& call) {
  KIST_TRY_ASSIGN(auto texts, texts_of(call[0], call.work));
  return call.work.make_texts(texts);
}
Result<Value> sort_alpha(const Call& call) {
  KIST_TRY_ASSIGN(auto texts, texts_of(call[0], call.work));
  std::ranges::sort(texts);
  return call.work.make_texts(texts);
}
Result<Value> join(const Call& call) {
  KIST_TRY_ASSIGN(std::string separator, call.text(0));
  KIST_TRY_ASSIGN(auto texts, texts_of(call[1], call.work));
  std::string result;
  for (const std::string& text : texts) {
    KIST_TRY(call.work.spend(separator.size()));
    if (&text != &texts.front()) result += separator;
    result += text;
  }
  return call.work.make(std::move(result));
}

Result<Value> to_string(const Call& call) {
  KIST_TRY(call.work.spend(call[0].weight()));
  return call.work.make(to_plain_text(call[0]));
}

Result<Value> hello(const Call&) {
  return Value(std::string("Hello!"));
}

constexpr Function kFunctions[] = {
    {"sprig.hello", 0, 0, hello},
    {"sprig.trim", 1, 1, changed<trim_blanks>},
    {"sprig.upper", 1, 1, changed<to_upper>},
    {"sprig.lower", 1, 1, changed<to_lower>},
    {"sprig.nospace", 1, 1, changed<without_blanks>},
    {"sprig.initials", 1, 1, changed<initials>},
    {"sprig.trimAll", 2, 2, trim_all},
    {"sprig.trimall", 2, 2, trim_all},
    {"sprig.trimPrefix", 2, 2, trim_prefix},
    {"sprig.trimSuffix", 2, 2, trim_suffix},
    {"sprig.contains", 2, 2, contains},
    {"sprig.hasPrefix", 2, 2, has_prefix},
    {"sprig.hasSuffix", 2, 2, has_suffix},
    {"sprig.repeat", 2, 2, repeat},
    {"sprig.replace", 3, 3, replace},
    {"sprig.trunc", 2, 2, trunc},
    {"sprig.substr", 3, 3, substr},
    {"sprig.abbrev", 2, 2, abbrev},
    {"sprig.abbrevboth", 3, 3, abbrev_both},
    {"sprig.indent", 2, 2, indent},
    {"sprig.nindent", 2, 2, nindent},
    {"sprig.quote", 0, Function::kAny, quote},
    {"sprig.squote", 0, Function::kAny, squote},
    {"sprig.cat", 0, Function::kAny, cat},
    {"sprig.plural", 3, 3, plural},
    {"sprig.wrap", 2, 2, wrap},
    {"sprig.wrapWith", 3, 3, wrap_with},
    {"sprig.split", 2, 2, split_map},
    {"sprig.splitn", 3, 3, split_n},
    {"sprig.splitList", 2, 2, split_list},
    {"sprig.toStrings", 1, 1, to_strings},
    {"sprig.sortAlpha", 1, 1, sort_alpha},
    {"sprig.join", 2, 2, join},
    {"sprig.toString", 1, 1, to_string},
};

}  // namespace

std::span<const Function> sprig_text_functions() {
  return kFunctions;
}

}  // namespace kist::expression
