// Sprig's random texts and numbers, from the chance that comes with the scope.
#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/base64.hpp"
#include "expression/characters.hpp"
#include "expression/functions.hpp"

namespace kist::expression {
namespace {

constexpr std::int64_t kLongest = 1'000'000;

Result<std::size_t> length_of(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t count, call.integer(0));
  if (count < 0 || count > kLongest) return fail(ErrorKind::invalid, fmt::format("{} is not 0 to {}", count, kLongest));
  return static_cast<std::size_t>(count);
}

// A number below `bound`, every one as likely.
Result<std::uint64_t> below(std::uint64_t bound, Work& work) {
  // The numbers above the last whole multiple would favour small ones.
  std::uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  while (true) {
    KIST_TRY(work.step());
    KIST_TRY_ASSIGN(std::string bytes, work.random(sizeof(std::uint64_t)));
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    if (number < limit) return number % bound;
  }
}

Result<Value> random_text(const Call& call, std::string_view characters) {
  KIST_TRY_ASSIGN(std::size_t length, length_of(call));
  std::string text;
  while (text.size() < length) {
    KIST_TRY_ASSIGN(std::uint64_t which, below(characters.size(), call.work));
    text += characters[which];
  }
  return call.work.make(std::move(text));
}

constexpr std::string_view kAlphaNumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

Result<Value> alpha_numeric(const Call& call) {
  return random_text(call, kAlphaNumeric);
}
Result<Value> alpha(const Call& call) {
  return random_text(call, kAlphaNumeric.substr(10));
}
Result<Value> numeric(const Call& call) {
  return random_text(call, kAlphaNumeric.substr(0, 10));
}
Result<Value> ascii(const Call& call) {
  std::string printable;
  for (char c = ' '; c < 0x7F; ++c) printable += c;
  return random_text(call, printable);
}

Result<Value> random_bytes(const Call& call) {
  KIST_TRY_ASSIGN(std::size_t length, length_of(call));
  KIST_TRY_ASSIGN(std::string bytes, call.work.random(length));
  return call.work.make(to_base64(bytes));
}

// From the first number up to, not including, the second.
Result<Value> integer(const Call& call) {
  KIST_TRY_ASSIGN(std::int64_t first, call.integer(0));
  KIST_TRY_ASSIGN(std::int64_t end, call.integer(1));
  if (end <= first) return fail(ErrorKind::invalid, fmt::format("there is no number from {} below {}", first, end));
  KIST_TRY_ASSIGN(std::uint64_t number,
                  below(static_cast<std::uint64_t>(end) - static_cast<std::uint64_t>(first), call.work));
  return Value(static_cast<std::int64_t>(static_cast<std::uint64_t>(first) + number));
}

Result<Value> shuffle(const Call& call) {
  KIST_TRY_ASSIGN(std::string text, call.text(0));
  std::u32string characters = decode(text);
  for (std::size_t left = characters.size(); left > 1; --left) {
    KIST_TRY_ASSIGN(std::uint64_t which, below(left, call.work));
    std::swap(characters[left - 1], characters[which]);
  }
  return call.work.make(encode(characters));
}

Result<Value> uuid(const Call& call) {
  KIST_TRY_ASSIGN(std::string bytes, call.work.random(16));
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    text += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  return call.work.make(std::move(text));
}

constexpr Function kFunctions[] = {
    {"sprig.randAlphaNum", 1, 1, alpha_numeric},
    {"sprig.randAlpha", 1, 1, alpha},
    {"sprig.randNumeric", 1, 1, numeric},
    {"sprig.randAscii", 1, 1, ascii},
    {"sprig.randBytes", 1, 1, random_bytes},
    {"sprig.randInt", 2, 2, integer},
    {"sprig.shuffle", 1, 1, shuffle},
    {"sprig.uuidv4", 0, 0, uuid},
};

}  // namespace

std::span<const Function> sprig_random_functions() {
  return kFunctions;
}

}  // namespace kist::expression
