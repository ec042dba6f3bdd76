#include "cli/context.hpp"

#include <cerrno>
#include <cstdio>
#include <iostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace kist::cli {

Context::Context(std::string program)
    : program_(std::move(program)),
      colored_output_(wants_color(STDOUT_FILENO)),
      colored_errors_(wants_color(STDERR_FILENO)) {
  if (program_ == "kist") return;
  if (const auto dialect = engine::find_dialect(dialects(), program_)) own_system_ = *dialect;
}

Result<bool> Context::confirm(std::string_view question, bool yes) const {
  if (yes) return true;
  if (!is_terminal(STDIN_FILENO))
    return fail(ErrorKind::invalid, fmt::format("{} Nobody is there to answer; -y answers yes", question));
  while (true) {
    fmt::print(stderr, "{} [y/n]: ", question);
    std::string answer;
    if (!std::getline(std::cin, answer)) {
      fmt::print(stderr, "\n");
      return false;
    }
    if (answer == "y" || answer == "Y" || answer == "yes") return true;
    if (answer == "n" || answer == "N" || answer == "no") return false;
  }
}

void Context::done(std::string_view text) const {
  if (own_system_ != nullptr) {
    print("OK\n");
    return;
  }
  tell(text);
}

void Context::tell(std::string_view text) const {
  if (is_terminal(STDERR_FILENO)) fmt::print(stderr, "{}\n", text);
}

std::string Context::state_word(model::State state, std::string_view dialect) const {
  if (own_system_ != nullptr) {
    if (const auto wording = wording_of(dialect)) return (*wording)->state(state);
  }
  return std::string(to_string(state));
}

Color color_of(model::State state) {
  switch (state) {
    case model::State::succeeded:
      return Color::green;
    case model::State::failed:
    case model::State::error:
      return Color::red;
    case model::State::running:
    case model::State::stopping:
      return Color::blue;
    case model::State::stopped:
    case model::State::aborted:
    case model::State::interrupted:
      return Color::yellow;
    case model::State::pending:
    case model::State::skipped:
    case model::State::omitted:
      return Color::faint;
  }
  return Color::none;
}

std::string_view mark_of(model::State state) {
  switch (state) {
    case model::State::succeeded:
      return "✔";
    case model::State::failed:
      return "✖";
    case model::State::error:
    case model::State::interrupted:
      return "⚠";
    case model::State::running:
    case model::State::stopping:
      return "●";
    case model::State::stopped:
    case model::State::aborted:
      return "■";
    case model::State::pending:
      return "◷";
    case model::State::skipped:
    case model::State::omitted:
      return "○";
  }
  return " ";
}

namespace {

// The first thing that went wrong with standard output; later writes may fail for other reasons.
int output_error = 0;

}  // namespace

void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() && output_error == 0) output_error = errno;
}

void flush_output() {
  if (std::fflush(stdout) != 0 && output_error == 0) output_error = errno;
}

Status finish_output() {
  flush_output();
  if (output_error == 0 || output_error == EPIPE) return {};
  return fail_errno("writing to standard output", output_error);
}

void print_json(const Json& value) {
  print(to_pretty_text(value));
  print("\n");
}

Json json_time(Time time) {
  if (time == Time{}) return nullptr;
  return to_rfc3339_micros(time);
}

std::string duration_text(Time started, Time finished) {
  if (started == Time{}) return "";
  return to_short_duration((finished == Time{} ? now() : finished) - started);
}

}  // namespace kist::cli
