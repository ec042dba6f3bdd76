#include "store/attributes.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/xattr.h>

#include "base/system.hpp"
#include "base/utf8.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kUsualList = 1 << 10;

bool is_kept(std::string_view name) {
  if (name.starts_with("user.overlay.") || name.starts_with("trusted.overlay.")) return false;
  return name.starts_with("user.") || name.starts_with("trusted.") || name == "security.capability" ||
         name == "system.posix_acl_access" || name == "system.posix_acl_default";
}

// There are no calls that take a directory and a name before Linux 6.13.
std::string path_of(int directory, const std::string& name) {
  return name.empty() ? fmt::format("/proc/self/fd/{}", directory)
                      : fmt::format("/proc/self/fd/{}/{}", directory, name);
}

// Fills a text of a length that is known only by asking, and may change meanwhile. False, with errno: it cannot be
// read.
template <typename Ask>
bool fill(std::string& text, std::size_t size, const Ask& ask) {
  text.resize(size);
  while (true) {
    const ssize_t length = ask(text);
    if (length >= 0) {
      text.resize(static_cast<std::size_t>(length));
      return true;
    }
    if (errno != ERANGE) return false;
    std::string none;
    const ssize_t needed = ask(none);
    if (needed < 0) return false;
    text.resize(std::max(text.size() * 2, static_cast<std::size_t>(needed)));
  }
}

// `list` and `get` ask the kernel as listxattr(2) and getxattr(2) do.
template <typename List, typename Get>
Result<std::vector<Attribute>> read_all_attributes(const List& list, const Get& get) {
  std::vector<Attribute> attributes;
  std::string names;
  if (!fill(names, kUsualList, list)) {
    if (errno == EOPNOTSUPP || errno == EACCES || errno == EPERM || errno == ENOENT) return attributes;
    return fail_errno("cannot list its extended attributes");
  }
  std::size_t bytes = 0;
  for (std::size_t at = 0; at < names.size();) {
    Attribute attribute;
    attribute.name = names.c_str() + at;
    at += attribute.name.size() + 1;
    if (!is_kept(attribute.name)) continue;
    auto ask = [&](std::string& into) { return get(attribute.name.c_str(), into); };
    if (!fill(attribute.value, kUsualList, ask)) {
      if (errno == ENODATA || errno == EACCES || errno == EPERM || errno == EOPNOTSUPP || errno == ENOENT) continue;
      return fail_errno(fmt::format("cannot read its extended attribute '{}'", printable(attribute.name)));
    }
    bytes += attribute.name.size() + attribute.value.size();
    if (bytes > kMostAttributeBytes)
      return fail(
          ErrorKind::unsupported,
          fmt::format("its extended attributes, more than {} bytes; the entry itself is kept", kMostAttributeBytes));
    attributes.push_back(std::move(attribute));
  }
  std::ranges::sort(attributes, {}, &Attribute::name);
  return attributes;
}

}  // namespace

Result<std::vector<Attribute>> read_attributes(int file) {
  return read_all_attributes(
      [&](std::string& into) { return ::flistxattr(file, into.data(), into.size()); },
      [&](const char* name, std::string& into) { return ::fgetxattr(file, name, into.data(), into.size()); });
}

Result<std::vector<Attribute>> read_attributes_at(int directory, const std::string& name) {
  const std::string path = path_of(directory, name);
  return read_all_attributes([&](std::string& into) { return ::llistxattr(path.c_str(), into.data(), into.size()); },
                             [&](const char* attribute, std::string& into) {
                               return ::lgetxattr(path.c_str(), attribute, into.data(), into.size());
                             });
}

void RefusedAttributes::add(std::string_view path, std::string_view name, int error) {
  std::lock_guard lock(mutex_);
  if (count_++ == 0)
    first_ = fmt::format("'{}' of {}: {}", printable(name), path.empty() ? "." : printable(path), std::strerror(error));
}

std::optional<std::string> RefusedAttributes::notice() const {
  std::lock_guard lock(mutex_);
  if (count_ == 0) return std::nullopt;
  if (count_ == 1) return fmt::format("an extended attribute could not be set: {}", first_);
  return fmt::format("{} extended attributes could not be set, the first of them {}", count_, first_);
}

Status set_attributes(int directory, const std::string& name, const std::vector<Attribute>& attributes,
                      std::string_view path, RefusedAttributes& refused) {
  if (attributes.empty()) return {};
  const std::string place = path_of(directory, name);
  for (const Attribute& attribute : attributes) {
    const auto set = name.empty() ? os::setxattr : os::lsetxattr;
    if (!is_kept(attribute.name))
      errno = EPERM;  // no kist wrote that
    else if (set(place.c_str(), attribute.name.c_str(), attribute.value.data(), attribute.value.size(), 0) == 0)
      continue;
    if (errno == EIO)
      return fail_errno(fmt::format("cannot set the extended attribute '{}'", printable(attribute.name)));
    refused.add(path, attribute.name, errno);
  }
  return {};
}

}  // namespace kist::store
