#include "cli/diagnostics.hpp"

#include <algorithm>
#include <charconv>
#include <optional>

#include <fmt/format.h>

#include "base/file.hpp"
#include "base/terminal.hpp"
#include "base/utf8.hpp"

namespace kist::cli {

namespace {

struct Place {
  std::string_view file;
  int line = 0;
  int column = 0;         // 0: none was given
  std::string_view rest;  // what follows the place
};

std::optional<int> leading_number(std::string_view& text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number <= 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

// "FILE:LINE:COLUMN: rest" or "FILE:LINE: rest".
std::optional<Place> read_place(std::string_view line) {
  for (auto colon = line.find(':'); colon != std::string_view::npos; colon = line.find(':', colon + 1)) {
    if (colon == 0) continue;
    Place place{.file = line.substr(0, colon), .line = 0, .column = 0, .rest = line.substr(colon + 1)};
    const auto number = leading_number(place.rest);
    if (!number || !place.rest.starts_with(':')) continue;
    place.line = *number;
    place.rest.remove_prefix(1);
    if (const auto column = leading_number(place.rest)) {
      if (!place.rest.starts_with(':')) continue;
      place.column = *column;
      place.rest.remove_prefix(1);
    }
    if (place.rest.starts_with(' ')) place.rest.remove_prefix(1);
    return place;
  }
  return std::nullopt;
}

std::optional<std::string> text_of(std::string_view name, const std::vector<model::SourceText>& files) {
  const auto found = std::ranges::find(files, name, &model::SourceText::name);
  if (found != files.end()) return found->text;
  if (auto text = read_file(std::string(name), 16ULL << 20)) return std::move(*text);
  return std::nullopt;
}

std::optional<std::string> line_of(std::string_view text, int number) {
  for (int at = 1; at < number; ++at) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos) return std::nullopt;
    text.remove_prefix(end + 1);
  }
  return std::string(text.substr(0, text.find_first_of("\r\n")));
}

// The line and a caret below its column (counted in characters, from 1).
std::string excerpt(const Place& place, const std::vector<model::SourceText>& files) {
  const auto text = text_of(place.file, files);
  const auto line = text ? line_of(*text, place.line) : std::nullopt;
  if (!line || line->find_first_not_of(" \t") == std::string::npos) return "";
  std::string shown;
  std::string below;
  int column = 1;
  for (std::size_t i = 0; i < line->size(); ++column) {
    std::size_t length = 1;
    while (i + length < line->size() && (static_cast<unsigned char>((*line)[i + length]) & 0xC0) == 0x80) ++length;
    const std::string piece = (*line)[i] == '\t' ? "  " : printable(std::string_view(*line).substr(i, length));
    shown += piece;
    if (column < place.column) below.append(display_width(piece), ' ');
    i += length;
  }
  const std::string gutter = fmt::format("{:>5} | ", place.line);
  std::string result = fmt::format("{}{}\n", paint(gutter, Color::faint), shown);
  if (place.column > 0) result += fmt::format("{:>5} | {}{}\n", "", below, paint("^", Color::green));
  return result;
}

constexpr std::string_view kLevels[] = {"", "warning", "error"};

}  // namespace

std::string explain(std::string_view text, model::Notice::Level level, const std::vector<model::SourceText>& files,
                    bool colored) {
  const std::string_view word = kLevels[static_cast<int>(level)];
  const Color color = level == model::Notice::Level::error ? Color::red : Color::yellow;
  std::string result;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const auto line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    const auto place = read_place(line);
    if (!place || word.empty()) {
      result += fmt::format("{}\n", line);
      continue;
    }
    const auto where = line.substr(0, static_cast<std::size_t>(place->rest.data() - line.data()));
    std::string_view rest = place->rest;
    if (rest.starts_with(word) && rest.substr(word.size()).starts_with(": ")) rest.remove_prefix(word.size() + 2);
    result += fmt::format("{}{} {}\n", paint(where, Color::bold, colored),
                          paint(fmt::format("{}:", word), color, colored), rest);
    if (colored) result += excerpt(*place, files);
  }
  return result;
}

std::string explain(const model::Notice& notice, const std::vector<model::SourceText>& files, bool colored) {
  const auto place = to_string(notice.origin);
  if (!place.empty()) return explain(to_string(notice), notice.level, files, colored);
  const auto word = kLevels[static_cast<int>(notice.level)];
  if (word.empty()) return notice.text + "\n";
  return fmt::format("{} {}\n",
                     paint(fmt::format("{}:", word),
                           notice.level == model::Notice::Level::error ? Color::red : Color::yellow, colored),
                     notice.text);
}

model::Notice read_notice(std::string_view line, model::Notice::Level level) {
  const auto place = read_place(line);
  if (!place) return {level, {}, std::string(line)};
  return {level, {std::string(place->file), place->line, place->column}, std::string(place->rest)};
}

void print_error(std::string_view program, const Error& error, const std::vector<model::SourceText>& files,
                 bool colored) {
  const auto first = error.text.substr(0, error.text.find('\n'));
  if (read_place(first)) {
    fmt::print(stderr, "{}", explain(error.text, model::Notice::Level::error, files, colored));
    return;
  }
  fmt::print(stderr, "{} {}\n", paint(fmt::format("{}:", program), Color::red, colored), error.text);
}

int exit_code_of(const Error& error) {
  switch (error.kind) {
    case ErrorKind::invalid:
    case ErrorKind::not_found:
    case ErrorKind::conflict:
    case ErrorKind::unsupported:
      return 2;
    case ErrorKind::denied:
    case ErrorKind::no_space:
    case ErrorKind::corrupt:
    case ErrorKind::unavailable:
    case ErrorKind::io:
      return 3;
  }
  return 3;
}

}  // namespace kist::cli
