#include "catalog/secrets.hpp"

#include <algorithm>
#include <cctype>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.hpp"
#include "base/json.hpp"
#include "base/system.hpp"

namespace kist::catalog {

namespace fs = std::filesystem;

namespace {

constexpr const char* kLock = ".lock";
constexpr const char* kSalt = ".salt";
constexpr std::size_t kSaltSize = 32;
constexpr std::size_t kLongestSecretName = 253;
constexpr unsigned kFileMode = 0600;
constexpr unsigned kDirectoryMode = 0700;

// Names are files; both have Kubernetes' alphabet.
Status check(std::string_view name, std::string_view what) {
  bool good = !name.empty() && name.size() <= kLongestSecretName && !name.starts_with('.') &&
              std::ranges::all_of(
                  name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
  if (good) return {};
  return fail(ErrorKind::invalid,
              fmt::format("'{}' is no name for {}: letters, digits, '-', '_' and '.', the first no '.'", name, what));
}

Status check_key(std::string_view key) {
  std::string_view rest = key;
  while (rest.size() > 1 && rest.starts_with('.')) rest.remove_prefix(1);  // ".dockerconfigjson"
  return check(rest, "a key of a secret");
}

std::unexpected<Error> missing(std::string_view name) {
  return fail(ErrorKind::not_found,
              fmt::format("there is no secret '{}': add it with `kist secrets add {} KEY`", name, name));
}

}  // namespace

Result<std::vector<Secrets::Listed>> Secrets::list() const {
  std::vector<Listed> all;
  std::error_code error;
  for (fs::directory_iterator at(directory_, error), end; !error && at != end; at.increment(error)) {
    std::string name = at->path().filename();
    if (!check(name, "a secret")) continue;  // the lock, a file that is being written
    auto values = read(name);
    if (!values && values.error().kind == ErrorKind::not_found) continue;  // removed meanwhile
    if (!values && values.error().kind != ErrorKind::corrupt) return std::unexpected(values.error());
    Listed& listed = all.emplace_back();
    listed.name = std::move(name);
    listed.damaged = !values;
    if (values)
      for (const auto& [key, value] : *values) listed.keys.push_back(key);
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail_errno(fmt::format("cannot list {}", directory_.string()), error.value());
  std::ranges::sort(all, {}, &Listed::name);
  return all;
}

Result<Secrets::Values> Secrets::get(std::string_view name) const {
  KIST_TRY(check(name, "a secret"));
  return read(name);
}

Status Secrets::put(std::string_view name, const Values& values) const {
  KIST_TRY_ASSIGN(FileLock held, lock());
  return write(name, values);
}

Status Secrets::set(std::string_view name, std::string_view key, std::string_view value, Only only) const {
  KIST_TRY(check(name, "a secret"));
  KIST_TRY_ASSIGN(FileLock held, lock());
  auto known = read(name);
  if (!known && known.error().kind != ErrorKind::not_found) return std::unexpected(known.error());
  Values values = known ? std::move(*known) : Values();
  const bool is_there = values.contains(std::string(key));
  if (only == Only::absent && is_there)
    return fail(ErrorKind::conflict, fmt::format("the secret '{}' has a key '{}' already: `kist secrets update {} {}` "
                                                 "gives it another value",
                                                 name, key, name, key));
  if (only == Only::present && !known) return missing(name);
  if (only == Only::present && !is_there)
    return fail(ErrorKind::not_found,
                fmt::format("the secret '{}' has no key '{}': `kist secrets add {} {}` adds it", name, key, name, key));
  values[std::string(key)] = value;
  return write(name, values);
}

Status Secrets::remove(std::string_view name) const {
  KIST_TRY(check(name, "a secret"));
  KIST_TRY_ASSIGN(FileLock held, lock());
  return unlink(name);
}

Status Secrets::unlink(std::string_view name) const {
  fs::path path = directory_ / name;
  if (os::unlinkat(AT_FDCWD, path.c_str(), 0) == 0) return sync_directory(directory_);
  if (errno == ENOENT) return missing(name);
  return fail_errno(fmt::format("cannot remove {}", path.string()));
}

Status Secrets::remove(std::string_view name, std::string_view key) const {
  KIST_TRY(check(name, "a secret"));
  KIST_TRY_ASSIGN(FileLock held, lock());
  KIST_TRY_ASSIGN(Values values, read(name));
  if (values.erase(std::string(key)) == 0) {
    std::vector<std::string> keys;
    for (const auto& [known, value] : values) keys.push_back(known);
    return fail(ErrorKind::not_found,
                fmt::format("the secret '{}' has no key '{}', but {}", name, key, fmt::join(keys, ", ")));
  }
  return values.empty() ? unlink(name) : write(name, values);
}

Result<Secrets::Values> Secrets::read(std::string_view name) const {
  fs::path path = directory_ / name;
  auto text = read_file(path, 4 * kLargest);
  if (!text && text.error().kind == ErrorKind::not_found) return missing(name);
  if (!text) return std::unexpected(text.error());
  auto json = parse_json(*text);
  bool good =
      json && json->is_object() && std::ranges::all_of(*json, [](const Json& value) { return value.is_string(); });
  auto damaged = [&] {
    return fail(ErrorKind::corrupt, fmt::format("{} is no secret kist wrote: remove it with `kist secrets delete {}`",
                                                path.string(), name));
  };
  if (!good) return damaged();
  Values values;
  for (const auto& [key, value] : json->items()) {
    auto bytes = from_base64(value.get<std::string>());
    if (!bytes) return damaged();
    values[key] = std::move(*bytes);
  }
  return values;
}

Result<std::string> Secrets::salt() const {
  KIST_TRY_ASSIGN(auto held, lock());
  auto known = read_file(directory_ / kSalt);
  if (known && known->size() == kSaltSize) return known;
  if (!known && known.error().kind != ErrorKind::not_found) return known;
  std::string fresh(kSaltSize, '\0');
  if (::getrandom(fresh.data(), fresh.size(), 0) != static_cast<ssize_t>(fresh.size()))
    return fail_errno("cannot get random bytes");
  KIST_TRY(replace_file(directory_ / kSalt, fresh, kFileMode));
  return fresh;
}

Status Secrets::write(std::string_view name, const Values& values) const {
  KIST_TRY(check(name, "a secret"));
  Json json = Json::object();
  std::size_t size = 0;
  for (const auto& [key, value] : values) {
    KIST_TRY(check_key(key));
    size += value.size();
    json[key] = to_base64(value);  // a value may be any bytes
  }
  if (size > kLargest)
    return fail(ErrorKind::invalid,
                fmt::format("the values of the secret '{}' have {} bytes, and may have {}", name, size, kLargest));
  return replace_file(directory_ / name, to_text(json), kFileMode);
}

Result<FileLock> Secrets::lock() const {
  KIST_TRY(make_directory(directory_, kDirectoryMode));
  return FileLock::lock(directory_ / kLock, FileLock::Kind::exclusive);
}

}  // namespace kist::catalog
