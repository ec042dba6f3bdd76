#include "serve/token.hpp"

#include <array>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/file.hpp"

namespace kist::serve {
namespace {

constexpr std::size_t kShortest = 16;

Result<std::string> random_token() {
  std::array<unsigned char, 32> bytes{};
  if (::getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size()))
    return fail_errno("cannot get random numbers");
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

}  // namespace

Result<Token> token_of(const std::filesystem::path& file) {
  KIST_TRY_ASSIGN(const auto lock, FileLock::lock(file.string() + ".lock", FileLock::Kind::exclusive));
  auto text = read_file(file, 4096);
  if (!text && text.error().kind == ErrorKind::not_found) {
    Token token{.text = {}, .made = true};
    KIST_TRY_ASSIGN(token.text, random_token());
    KIST_TRY(replace_file(file, token.text + "\n", 0600));
    return token;
  }
  if (!text) return std::unexpected(std::move(text).error());
  struct stat status{};
  if (::stat(file.c_str(), &status) != 0) return fail_errno(fmt::format("cannot read {}", file.string()));
  if ((status.st_mode & 077) != 0)
    return fail(ErrorKind::denied,
                fmt::format("{} holds the token of this server, and others may read it: chmod 600 {}", file.string(),
                            file.string()));
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  if (text->size() < kShortest || text->find_first_of(" \t\r\n") != std::string::npos)
    return fail(ErrorKind::invalid,
                fmt::format("{}: expected a token: one word of {} characters or more", file.string(), kShortest));
  return Token{.text = std::move(*text), .made = false};
}

}  // namespace kist::serve
