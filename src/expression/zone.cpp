// Time zones, read from the compiled IANA database of the system (RFC 8536).
#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <map>
#include <mutex>
#include <vector>

#include <fmt/format.h>

#include "expression/date.hpp"

namespace kist::expression {
namespace {

class FixedZone : public Zone {
 public:
  FixedZone(std::string name, int offset) : name_(std::move(name)), offset_(offset) {}
  const std::string& name() const override { return name_; }
  Rule at(std::int64_t) const override { return {offset_, name_}; }

 private:
  std::string name_;
  int offset_;
};

struct Change {
  std::int64_t from;  // seconds since 1970 UTC
  std::size_t rule;
};

class NamedZone : public Zone {
 public:
  NamedZone(std::string name, std::vector<Change> changes, std::vector<Rule> rules)
      : name_(std::move(name)), changes_(std::move(changes)), rules_(std::move(rules)) {}
  const std::string& name() const override { return name_; }
  Rule at(std::int64_t seconds) const override {
    auto next = std::ranges::upper_bound(changes_, seconds, {}, &Change::from);
    return next == changes_.begin() ? rules_.front() : rules_[std::prev(next)->rule];
  }

 private:
  std::string name_;
  std::vector<Change> changes_;
  std::vector<Rule> rules_;
};

// Takes big-endian numbers off the front of a file's bytes.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : rest_(bytes) {}

  std::string_view take(std::size_t count) {
    complete_ = complete_ && count <= rest_.size();
    if (!complete_) return {};
    std::string_view front = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return front;
  }
  std::int64_t number(std::size_t width) {
    std::string_view bytes = take(width);
    std::uint64_t value = !bytes.empty() && (bytes.front() & 0x80) != 0 ? ~std::uint64_t{0} : 0;
    for (char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
    return static_cast<std::int64_t>(value);
  }
  std::size_t count() { return static_cast<std::size_t>(static_cast<std::uint32_t>(number(4))); }
  bool complete() const { return complete_; }

 private:
  std::string_view rest_;
  bool complete_ = true;
};

struct Header {
  std::size_t utc_marks, standard_marks, leaps, changes, rules, letters;
};

Header read_header(Bytes& bytes) {
  bytes.take(20);  // magic, version, reserved
  Header header{};
  for (std::size_t* field :
       {&header.utc_marks, &header.standard_marks, &header.leaps, &header.changes, &header.rules, &header.letters})
    *field = bytes.count();
  return header;
}

ZonePointer read_zone(std::string name, std::string_view file) {
  if (!file.starts_with("TZif") || file.size() < 44) return nullptr;
  Bytes bytes(file);
  Header header = read_header(bytes);
  std::size_t width = 4;
  if (file[4] >= '2') {  // the same again with wider numbers
    bytes.take(header.changes * 5 + header.rules * 6 + header.letters + header.leaps * 8 + header.standard_marks +
               header.utc_marks);
    header = read_header(bytes);
    width = 8;
  }
  if (!bytes.complete() || header.changes > file.size() || header.rules > 256 || header.rules == 0) return nullptr;
  std::vector<Change> changes(header.changes);
  for (Change& change : changes) change.from = bytes.number(width);
  for (Change& change : changes) change.rule = static_cast<std::size_t>(bytes.number(1) & 0xFF);
  std::vector<Zone::Rule> rules(header.rules);
  std::vector<std::size_t> letters(header.rules);
  for (std::size_t i = 0; i < rules.size(); ++i) {
    rules[i].offset = static_cast<int>(std::clamp<std::int64_t>(bytes.number(4), -172'800, 172'800));
    bytes.number(1);
    letters[i] = static_cast<std::size_t>(bytes.number(1) & 0xFF);
  }
  std::string_view names = bytes.take(header.letters);
  if (!bytes.complete()) return nullptr;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (letters[i] > names.size()) return nullptr;
    std::string_view rest = names.substr(letters[i]);
    rules[i].abbreviation = rest.substr(0, rest.find('\0'));
  }
  for (const Change& change : changes)
    if (change.rule >= rules.size()) return nullptr;
  return std::make_shared<const NamedZone>(std::move(name), std::move(changes), std::move(rules));
}

// A name that leads nowhere but into the database.
bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.contains("..")) return false;
  return std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_-+/").contains(c);
  });
}

}  // namespace

ZonePointer utc() {
  static const ZonePointer zone = std::make_shared<const FixedZone>("UTC", 0);
  return zone;
}

ZonePointer fixed_zone(std::string name, int offset) {
  return std::make_shared<const FixedZone>(std::move(name), offset);
}

Result<ZonePointer> find_zone(std::string_view name) {
  if (name.empty() || name == "UTC" || name == "Local") return utc();
  auto unknown = [&] { return fail(ErrorKind::invalid, fmt::format("there is no time zone '{}'", name)); };
  if (!is_zone_name(name)) return unknown();
  static std::mutex mutex;
  static std::map<std::string, ZonePointer, std::less<>> known;
  std::scoped_lock lock(mutex);
  if (auto found = known.find(name); found != known.end()) return found->second;
  std::filesystem::path path = std::filesystem::path("/usr/share/zoneinfo") / name;
  std::error_code none;
  if (!std::filesystem::is_regular_file(path, none)) return unknown();
  std::ifstream file(path, std::ios::binary);
  std::string bytes(std::istreambuf_iterator<char>(file), {});
  ZonePointer zone = read_zone(std::string(name), bytes);
  if (zone == nullptr) return unknown();
  known.emplace(name, zone);
  return zone;
}

}  // namespace kist::expression
