#include "dialect/dstack/script.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/words.hpp"

namespace kist::dialect::dstack {
namespace {

void add(Parts& to, std::string text) {
  to.push_back({std::move(text)});
}

void add(Parts& to, const Parts& more) {
  to.insert(to.end(), more.begin(), more.end());
}

// Whether a value with quotes or backslashes is one word as it stands: all quotes closed, nothing outside them that
// ends a word.
bool is_one_word(std::string_view value) {
  char quote = 0;
  for (std::size_t i = 0; i < value.size(); ++i) {
    char c = value[i];
    if (quote == '\'') {
      if (c == '\'') quote = 0;
    } else if (c == '\\') {
      if (++i == value.size()) return false;
    } else if (quote == '"') {
      if (c == '"') quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (std::string_view(" \t\r\n;&|<>()`").find(c) != std::string_view::npos) {
      return false;
    }
  }
  return quote == 0;
}

// Text for inside double quotes: `"` loses its meaning, `$` and backquotes keep theirs, and so does a backslash before
// one of these.
std::string for_double_quotes(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\') {
      bool quotes = i + 1 < text.size() && std::string_view("$`\"\\").find(text[i + 1]) != std::string_view::npos;
      escaped += '\\';
      escaped += quotes ? text[++i] : '\\';
    } else {
      if (text[i] == '"') escaped += '\\';
      escaped += text[i];
    }
  }
  return escaped;
}

Parts exports(const std::vector<Variable>& environment) {
  Parts script;
  for (const Variable& variable : environment) {
    add(script, export_statement(variable));
    add(script, "\n");
  }
  return script;
}

}  // namespace

Parts export_statement(const Variable& variable) {
  if (!variable.value) return {{fmt::format("export {0}=\"${{{0}-}}\"", variable.name)}};
  std::string start = fmt::format("export {}=", variable.name);
  std::string value = source(*variable.value);
  if (variable.exact) return {{start + quote_word(value)}};
  Parts statement;
  if (value.find_first_of("'\"\\") != std::string::npos && is_one_word(value)) {
    add(statement, std::move(start));
    add(statement, *variable.value);
    return statement;
  }
  Parts parts = *variable.value;
  if (value == "~" || value.starts_with("~/")) {  // a tilde is nobody's home inside quotes
    std::get<std::string>(parts.front().value).erase(0, 1);
    start += '~';
    if (value.size() == 1) return {{std::move(start)}};
    std::get<std::string>(parts.front().value).erase(0, 1);
    start += '/';
  }
  add(statement, start + '"');
  for (const expression::Part& part : parts) {
    if (const auto* literal = std::get_if<std::string>(&part.value))
      add(statement, for_double_quotes(*literal));
    else
      statement.push_back(part);
  }
  add(statement, "\"");
  return statement;
}

bool is_variable_name(std::string_view name) {
  if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front()))) return false;
  return std::ranges::all_of(name, [](unsigned char c) { return c < 0x80 && (std::isalnum(c) || c == '_'); });
}

Parts lines_as_command(const Parts& lines) {
  Parts command;
  add(command, "set -e\n");
  add(command, lines);
  return command;
}

bool is_nothing(const Parts& command) {
  if (is_late(command)) return false;
  std::string text = source(command);
  bool comment = false;
  return std::ranges::all_of(text, [&](unsigned char c) {
    if (c == '\n') return comment = false, true;
    comment = comment || c == '#';
    return comment || std::isspace(c);
  });
}

std::optional<Parts> join_commands(const std::vector<Variable>& environment, const std::vector<Parts>& commands) {
  std::vector<Parts> kept;
  std::ranges::remove_copy_if(commands, std::back_inserter(kept), is_nothing);
  if (kept.empty()) return std::nullopt;
  Parts script = exports(environment);
  if (kept.size() == 1) {
    add(script, kept.front());
    return script;
  }
  for (std::size_t i = 0; i < kept.size(); ++i) {
    add(script, i == 0 ? "{\n" : " && {\n");
    add(script, kept[i]);
    add(script, "\n}");
  }
  return script;
}

}  // namespace kist::dialect::dstack
