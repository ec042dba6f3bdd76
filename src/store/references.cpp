#include "store/references.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/system.hpp"
#include "store/temporary.hpp"

namespace kist::store {
namespace {

constexpr std::size_t kLongestName = 255;
constexpr std::size_t kLargestFile = 1024;

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '.';
}

int hex_value(char c) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  auto at = digits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

struct Place {
  std::string directory;
  std::string file;  // with the directory
};

Result<Place> place_of(std::string_view name) {
  auto slash = name.find('/');
  if (slash == std::string_view::npos)
    return fail(ErrorKind::invalid, fmt::format("'{}' is no reference: expected KIND/NAME, such as tags/NAME", name));
  KIST_TRY_ASSIGN(auto kind, encode_reference_name(name.substr(0, slash)));
  KIST_TRY_ASSIGN(auto rest, encode_reference_name(name.substr(slash + 1)));
  Place place;
  place.directory = "refs/" + kind;
  place.file = place.directory + "/" + rest;
  return place;
}

Result<Digest> read_reference(const StoreDirectory& directory, const std::string& file) {
  KIST_TRY_ASSIGN(auto bytes, directory.read_file(file, kLargestFile));
  std::string_view text = text_of(bytes);
  if (text.ends_with('\n')) text.remove_suffix(1);
  auto digest = Digest::parse(text);
  if (!digest)
    return fail(ErrorKind::corrupt,
                fmt::format("{} holds no reference: {}", directory.show(file), digest.error().text));
  return digest;
}

}  // namespace

Result<std::string> encode_reference_name(std::string_view name) {
  std::string file;
  for (char c : name) {
    if (plain(c) && !(c == '.' && file.empty()))
      file += c;
    else
      file += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  if (file.empty() || file.size() > kLongestName)
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is no name for a reference: it must have 1 to {} characters, others than "
                            "letters, digits, '_', '-' and '.' counting three",
                            name, kLongestName));
  return file;
}

std::optional<std::string> decode_reference_name(std::string_view file) {
  std::string name;
  for (std::size_t i = 0; i < file.size(); ++i) {
    if (file[i] != '%') {
      name += file[i];
      continue;
    }
    int high = i + 2 < file.size() ? hex_value(file[i + 1]) : -1;
    int low = i + 2 < file.size() ? hex_value(file[i + 2]) : -1;
    if (high < 0 || low < 0) return std::nullopt;
    name += static_cast<char>(high * 16 + low);
    i += 2;
  }
  // Another way to write it would be a second reference of the same name.
  if (const auto again = encode_reference_name(name); !again || *again != file) return std::nullopt;
  return name;
}

Status References::set(std::string_view name, const Digest& target, const std::optional<Digest>& expected) {
  KIST_TRY_ASSIGN(auto place, place_of(name));
  KIST_TRY_ASSIGN(auto lock, FileLock::lock(directory_.root() / "refs.lock", FileLock::Kind::exclusive));
  auto current = read_reference(directory_, place.file);
  if (!current && current.error().kind != ErrorKind::not_found) return std::unexpected(current.error());
  if (current.has_value() != expected.has_value() || (expected && *current != *expected))
    return fail(ErrorKind::conflict, fmt::format("the reference '{}' {}", name,
                                                 !current   ? "does not exist any more"
                                                 : expected ? "was changed meanwhile: it is now " + current->to_string()
                                                            : "exists already: it is " + current->to_string()));
  KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory_, lease_));
  KIST_TRY(file.write(bytes_of(target.to_string() + "\n")));
  KIST_TRY(file.sync());
  KIST_TRY(directory_.make_directory(place.directory));
  KIST_TRY(file.move_to(place.file));
  KIST_TRY(directory_.sync(place.directory));
  // The usual kinds came with the store; another may have been made just now, perhaps by a process that died here.
  bool usual = place.directory == "refs/runs" || place.directory == "refs/tags";
  return usual ? Status() : directory_.sync("refs");
}

Result<Digest> References::get(std::string_view name) const {
  KIST_TRY_ASSIGN(auto place, place_of(name));
  auto digest = read_reference(directory_, place.file);
  if (!digest && digest.error().kind == ErrorKind::not_found)
    return fail(ErrorKind::not_found, fmt::format("there is no reference '{}'", name));
  return digest;
}

Result<std::vector<std::pair<std::string, Digest>>> References::list(std::string_view prefix) const {
  std::vector<std::pair<std::string, Digest>> found;
  KIST_TRY_ASSIGN(auto kinds, directory_.names("refs"));
  for (const std::string& kind : kinds) {
    auto kind_name = decode_reference_name(kind);
    if (!kind_name) continue;
    std::string begin = *kind_name + "/";
    if (!begin.starts_with(prefix) && !prefix.starts_with(begin)) continue;
    KIST_TRY_ASSIGN(auto files, directory_.names("refs/" + kind));
    for (const std::string& file : files) {
      auto rest = decode_reference_name(file);
      if (!rest || !(begin + *rest).starts_with(prefix)) continue;
      auto digest = read_reference(directory_, "refs/" + kind + "/" + file);
      if (!digest && digest.error().kind == ErrorKind::not_found) continue;  // removed meanwhile
      if (!digest) return std::unexpected(digest.error());
      found.emplace_back(begin + *rest, *digest);
    }
  }
  std::ranges::sort(found);
  return found;
}

Status References::remove(std::string_view name) {
  KIST_TRY_ASSIGN(auto place, place_of(name));
  KIST_TRY_ASSIGN(auto lock, FileLock::lock(directory_.root() / "refs.lock", FileLock::Kind::exclusive));
  if (!directory_.status(place.file))
    return fail(ErrorKind::not_found, fmt::format("there is no reference '{}'", name));
  KIST_TRY(directory_.remove(place.file));
  return directory_.sync(place.directory);
}

}  // namespace kist::store
