// The one result type of kist. Functions that can fail for a reason outside the program return Result<T>; exceptions
// are for bugs only. An error's text says what was being done, to which path, and why it failed, in words for the user.
#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace kist {

// What kind of failure it was: decides the exit code and whether trying again can help.
enum class ErrorKind {
  invalid,      // the input is wrong: a file, an argument. Exit code 2.
  not_found,    // what was named does not exist
  conflict,     // it exists already, or somebody else changed it meanwhile
  denied,       // the operating system or a server refused
  no_space,     // disk or quota full
  corrupt,      // stored bytes are not what was stored
  unavailable,  // not now: a lock is held, a server does not answer
  unsupported,  // kist does not do this (yet)
  io,           // anything else the operating system reported
};

std::string_view to_string(ErrorKind kind);

struct Error {
  ErrorKind kind = ErrorKind::io;
  std::string text;
};

template <typename T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

// `return fail(ErrorKind::invalid, "…")`.
inline std::unexpected<Error> fail(ErrorKind kind, std::string text) {
  return std::unexpected(Error{kind, std::move(text)});
}

// The error of a failed system call: "<doing>: <strerror>", its kind by errno. `doing` names the path.
std::unexpected<Error> fail_errno(std::string_view doing, int error_number);
// The same with the current errno.
std::unexpected<Error> fail_errno(std::string_view doing);

// Puts `context` and a colon before the text of an error.
std::unexpected<Error> with_context(std::string_view context, Error error);

}  // namespace kist

// KIST_TRY(expression): returns its error from the current function, or goes on.
// KIST_TRY_ASSIGN(auto name, expression): the same, and names the value.
#define KIST_CONCAT_INNER(a, b) a##b
#define KIST_CONCAT(a, b) KIST_CONCAT_INNER(a, b)
#define KIST_TRY(expression)                                                                                   \
  do {                                                                                                         \
    if (auto kist_result = (expression); !kist_result) return std::unexpected(std::move(kist_result).error()); \
  } while (false)
#define KIST_TRY_ASSIGN_INNER(name, expression, temporary)              \
  auto temporary = (expression);                                        \
  if (!temporary) return std::unexpected(std::move(temporary).error()); \
  name = std::move(*temporary)
#define KIST_TRY_ASSIGN(name, expression) KIST_TRY_ASSIGN_INNER(name, expression, KIST_CONCAT(kist_try_, __LINE__))
