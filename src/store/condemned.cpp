#include "store/condemned.hpp"

#include <charconv>
#include <random>

#include <fmt/format.h>

#include "store/temporary.hpp"

namespace kist::store {
namespace {

constexpr const char* kFile = "condemned";
constexpr std::string_view kFirstLine = "kist condemned 1";
constexpr std::uint64_t kLargest = 256 << 20;

std::string_view next_word(std::string_view& text, char end) {
  auto at = text.find(end);
  std::string_view word = text.substr(0, at);
  text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
  return word;
}

template <typename T>
std::optional<T> number(std::string_view word) {
  T value{};
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

}  // namespace

// The last line is a checksum of those before it: a list that was cut off must not look like a shorter one.
std::string CondemnedList::to_text() const {
  std::random_device random;
  std::string text =
      fmt::format("{}\nboot {}\nversion {:08x}{:08x}{:08x}\n", kFirstLine, this_boot(), random(), random(), random());
  for (const Condemned& item : items)
    text += fmt::format("{} {} {} {} {}\n", item.container.path(), item.container.size, item.inode,
                        item.since.value_or(0), item.when.time_since_epoch().count());
  text += fmt::format("end {}\n", sha256(text).hex());
  return text;
}

Result<CondemnedList> CondemnedList::parse(std::string_view text) {
  CondemnedList list;
  if (text.empty()) return list;
  auto damaged = [] { return fail(ErrorKind::corrupt, "the list of condemned containers is damaged"); };
  auto end = text.rfind("end ");
  if (end == std::string_view::npos || text.substr(end) != fmt::format("end {}\n", sha256(text.substr(0, end)).hex()))
    return damaged();
  text = text.substr(0, end);
  if (next_word(text, '\n') != kFirstLine) return damaged();
  std::string_view boot = next_word(text, '\n');
  bool same_boot = boot == "boot " + this_boot();
  next_word(text, '\n');
  while (!text.empty()) {
    std::string_view line = next_word(text, '\n');
    std::string_view path = next_word(line, ' ');
    auto size = number<std::uint64_t>(next_word(line, ' '));
    auto inode = number<std::uint64_t>(next_word(line, ' '));
    auto since = number<std::int64_t>(next_word(line, ' '));
    auto when = number<std::int64_t>(line);
    const auto container = Container::from_path(path, size.value_or(0));
    if (!container || !size || !inode || !since || !when) return damaged();
    Condemned item;
    item.container = *container;
    item.inode = *inode;
    // The holds of before a start of the machine are all gone, so what was condemned then is so for everybody.
    if (same_boot && *since != 0)
      item.since = since;
    else if (!same_boot)
      item.since = 0;
    item.when = Time(std::chrono::nanoseconds(*when));
    list.items.push_back(item);
  }
  return list;
}

Result<std::string> read_condemned(const StoreDirectory& directory) {
  auto bytes = directory.read_file(kFile, kLargest);
  if (!bytes && bytes.error().kind == ErrorKind::not_found) return std::string();
  KIST_TRY(bytes);
  return std::string(text_of(*bytes));
}

// Its bytes are synced before it has its name; its name need not be: a list that is lost condemns nothing.
Status write_condemned(const StoreDirectory& directory, Lease& lease, const CondemnedList& list) {
  KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory, lease));
  KIST_TRY(file.write(bytes_of(list.to_text())));
  KIST_TRY(file.sync());
  return file.move_to(kFile);
}

}  // namespace kist::store
