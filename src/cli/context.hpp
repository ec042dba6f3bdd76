// What every command is given: the parts of kist, and how this person is spoken to.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.hpp"
#include "base/result.hpp"
#include "base/terminal.hpp"
#include "cli/house.hpp"
#include "model/dialect.hpp"
#include "model/record.hpp"

namespace kist::cli {

class Context {
 public:
  // `program`: the name kist was called by; a dialect's own name makes kist speak that system's words.
  explicit Context(std::string program);

  House house;

  const std::string& program() const { return program_; }
  // The system whose command line kist answers as; nullptr: as itself.
  const model::Dialect* own_system() const { return own_system_; }

  // Asks on the terminal; true where `yes` was given. Errors: invalid (nobody can answer; the text says what to do).
  Result<bool> confirm(std::string_view question, bool yes) const;
  // Says that it was done: on standard error, to a terminal only. Under another system's name: "OK".
  void done(std::string_view text) const;

  // Tells on the way: on standard error, to a terminal only.
  void tell(std::string_view text) const;

  // A state, as this person reads it: kist's word, or that of the run's own system under that system's name.
  std::string state_word(model::State state, std::string_view dialect) const;

  bool colored_output() const { return colored_output_; }
  bool colored_errors() const { return colored_errors_; }

 private:
  std::string program_;
  const model::Dialect* own_system_ = nullptr;
  bool colored_output_;
  bool colored_errors_;
};

// The colour of a state, and a mark that says the same without colour: ✔ ✖ ● ○.
Color color_of(model::State state);
std::string_view mark_of(model::State state);

// Writes to standard output, by way of a buffer. A full disk is noticed by finish_output().
void print(std::string_view text);
void flush_output();
// Writes out what is buffered. Errors: no_space, io; a reader that went away is none.
Status finish_output();
// An array or object, and a line break.
void print_json(const Json& value);

// A time for JSON; null where there is none.
Json json_time(Time time);
// How long a run or node took, or takes until now; empty where it has not begun.
std::string duration_text(Time started, Time finished);

}  // namespace kist::cli
