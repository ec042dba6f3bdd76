#include "catalog/settings.hpp"

#include <charconv>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/statvfs.h>

#include "base/file.hpp"
#include "base/yaml.hpp"

namespace kist::catalog {
namespace {

constexpr std::uint64_t kLargestFile = 1 << 20;
constexpr double kViewsByDefault = 20;  // percent of the disk

struct Measured {
  double value = 0;
  std::string_view unit;
};

std::optional<Measured> measure(std::string_view text) {
  Measured measured;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), measured.value);
  if (error != std::errc() || !(measured.value >= 0)) return std::nullopt;  // "nan" is read as a number too
  measured.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (measured.unit.starts_with(' ')) measured.unit.remove_prefix(1);
  return measured;
}

// A share of the disk, or bytes.
Result<std::uint64_t> parse_share(std::string_view text, const Home& home) {
  if (!text.ends_with('%')) return parse_size(text);
  auto share = measure(text);
  if (!share || share->unit != "%" || share->value > 100)
    return fail(ErrorKind::invalid, fmt::format("'{}' is no share of the disk: expected 0% to 100%", text));
  struct statvfs space{};
  if (::statvfs(home.path().c_str(), &space) != 0)
    return fail_errno(fmt::format("cannot ask for the size of the disk of {}", home.path().string()));
  double disk = static_cast<double>(space.f_blocks) * static_cast<double>(space.f_frsize);
  return static_cast<std::uint64_t>(disk * share->value / 100);
}

Result<bool> parse_switch(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return fail(ErrorKind::invalid, fmt::format("'{}' is neither true nor false", text));
}

class Reader {
 public:
  Reader(const Home& home, std::string name) : home_(home), name_(std::move(name)) {}

  Result<Settings> read(const yaml::Node& document) {
    Settings settings;
    auto read_all = each_key(document, [&](std::string_view key, const yaml::Node& value) -> Result<bool> {
      if (key == "quota") {
        KIST_TRY_ASSIGN(settings.quota, scalar(value, parse_size));
      } else if (key == "views") {
        KIST_TRY_ASSIGN(settings.views, scalar(value, [&](std::string_view text) { return parse_share(text, home_); }));
      } else if (key == "xattrs") {
        KIST_TRY_ASSIGN(settings.xattrs, scalar(value, parse_switch));
      } else if (key == "starters") {
        KIST_TRY_ASSIGN(settings.starters, scalar(value, parse_switch));
      } else if (key == "endpoints") {
        KIST_TRY(read_endpoints(value, settings));
      } else if (key == "gc") {
        KIST_TRY(read_gc(value, settings));
      } else {
        return false;
      }
      return true;
    });
    KIST_TRY(read_all);
    return settings;
  }

 private:
  std::unexpected<Error> wrong(const yaml::Node& at, std::string_view what) const {
    return fail(ErrorKind::invalid, fmt::format("{}:{}:{}: {}", name_, at.mark.line, at.mark.column, what));
  }

  template <typename Read>
  auto scalar(const yaml::Node& value, const Read& read) const -> decltype(read(std::string_view())) {
    if (!value.is_scalar()) return wrong(value, "expected a single value");
    auto result = read(value.text);
    if (!result) return wrong(value, result.error().text);
    return result;
  }

  // `each` says whether it knows the key.
  template <typename Each>
  Status each_key(const yaml::Node& mapping, const Each& each) const {
    if (mapping.is_null()) return {};
    if (!mapping.is_mapping()) return wrong(mapping, "expected keys and values");
    for (const auto& [key, value] : mapping.entries) {
      KIST_TRY_ASSIGN(bool known, each(key.text, value));
      if (!known) return wrong(key, fmt::format("'{}' is no setting of kist", key.text));
    }
    return {};
  }

  Status read_endpoints(const yaml::Node& node, Settings& settings) const {
    return each_key(node, [&](std::string_view host, const yaml::Node& value) -> Result<bool> {
      auto address = [](std::string_view text) -> Result<std::string> {
        if (text.contains("://") || text.starts_with('/')) return std::string(text);
        return fail(ErrorKind::invalid,
                    fmt::format("'{}' is no address: expected such as http://127.0.0.1:9000", text));
      };
      KIST_TRY_ASSIGN(settings.endpoints[std::string(host)], scalar(value, address));
      return true;
    });
  }

  Status read_gc(const yaml::Node& node, Settings& settings) const {
    return each_key(node, [&](std::string_view key, const yaml::Node& value) -> Result<bool> {
      if (key == "grace") {
        KIST_TRY_ASSIGN(settings.grace, scalar(value, parse_age));
      } else if (key == "rules") {
        if (!value.is_sequence() && !value.is_null()) return wrong(value, "expected a list of rules");
        for (const yaml::Node& item : value.items) {
          KIST_TRY_ASSIGN(auto rule, read_rule(item));
          settings.rules.push_back(std::move(rule));
        }
      } else {
        return false;
      }
      return true;
    });
  }

  Result<RetentionRule> read_rule(const yaml::Node& node) const {
    RetentionRule rule;
    auto text = [](std::string_view value) -> Result<std::string> { return std::string(value); };
    auto read_all = each_key(node, [&](std::string_view key, const yaml::Node& value) -> Result<bool> {
      if (key == "workflow") {
        KIST_TRY_ASSIGN(rule.workflow, scalar(value, text));
      } else if (key == "project") {
        KIST_TRY_ASSIGN(rule.project, scalar(value, text));
      } else if (key == "status") {
        KIST_TRY_ASSIGN(rule.outcome, scalar(value, parse_outcome));
      } else if (key == "keep-last") {
        KIST_TRY_ASSIGN(rule.keep_last, scalar(value, parse_count));
      } else if (key == "older-than") {
        KIST_TRY_ASSIGN(rule.older_than, scalar(value, parse_age));
      } else {
        return false;
      }
      return true;
    });
    KIST_TRY(read_all);
    // Without either it would remove everything that fits, which nobody writes by saying nothing.
    if (!rule.keep_last && !rule.older_than) return wrong(node, "a rule needs 'keep-last' or 'older-than'");
    return rule;
  }

  const Home& home_;
  std::string name_;
};

template <typename Read, typename Setting>
Status from_environment(const char* name, const Read& read, Setting& setting) {
  const char* value = std::getenv(name);
  if (value == nullptr || *value == '\0') return {};
  auto parsed = read(std::string_view(value));
  if (!parsed) return with_context(name, parsed.error());
  setting = *parsed;
  return {};
}

}  // namespace

Result<Settings> read_settings(const Home& home) {
  const auto path = home.path() / "settings.yaml";
  Settings settings;
  auto text = read_file(path, kLargestFile);
  if (!text && text.error().kind != ErrorKind::not_found) return std::unexpected(text.error());
  if (text) {
    KIST_TRY_ASSIGN(auto documents, yaml::parse(*text, path.string()));
    if (documents.size() > 1) return fail(ErrorKind::invalid, fmt::format("{} has several documents", path.string()));
    if (!documents.empty()) {
      KIST_TRY_ASSIGN(settings, Reader(home, path.string()).read(documents.front()));
    }
  }
  KIST_TRY(from_environment("KIST_QUOTA", parse_size, settings.quota));
  auto share = [&](std::string_view value) { return parse_share(value, home); };
  KIST_TRY(from_environment("KIST_VIEWS", share, settings.views));
  KIST_TRY(from_environment("KIST_STARTERS", parse_switch, settings.starters));
  if (!settings.views) {
    KIST_TRY_ASSIGN(settings.views, parse_share(fmt::format("{}%", kViewsByDefault), home));
  }
  return settings;
}

Result<std::uint64_t> parse_size(std::string_view text) {
  auto size = measure(text);
  int power = -1;
  if (size) {
    std::string_view unit = size->unit;
    if (unit.ends_with("iB")) unit.remove_suffix(2);
    if (unit.ends_with('B')) unit.remove_suffix(1);
    if (unit.empty())
      power = 0;
    else if (auto at = std::string_view("KMGTP").find(unit); unit.size() == 1 && at != std::string_view::npos)
      power = static_cast<int>(at) + 1;
    else if (unit == "k")
      power = 1;
  }
  if (power < 0)
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is no size: expected a number and B, KiB, MiB, GiB or TiB", text));
  double bytes = size->value;
  for (int i = 0; i < power; ++i) bytes *= 1024;
  if (bytes >= 1e19) return fail(ErrorKind::invalid, fmt::format("'{}' is too large a size", text));
  return static_cast<std::uint64_t>(bytes);
}

Result<std::chrono::nanoseconds> parse_age(std::string_view text) {
  using namespace std::chrono;
  auto age = measure(text);
  if (age) {
    struct Unit {
      std::string_view name;
      seconds length;
    };
    static constexpr Unit kUnits[] = {{"s", 1s},     {"m", 60s},     {"h", 3600s},
                                      {"d", 86400s}, {"w", 604800s}, {"y", 31556952s}};
    for (const Unit& unit : kUnits) {
      if (age->unit != unit.name) continue;
      double length = age->value * static_cast<double>(unit.length.count());
      if (length < 9e9) return duration_cast<nanoseconds>(duration<double>(length));
    }
    if (age->unit.empty() && age->value == 0) return nanoseconds(0);
  }
  return fail(ErrorKind::invalid,
              fmt::format("'{}' is no age: expected a number and s, m, h, d, w or y, such as 30d", text));
}

Result<RetentionRule::Outcome> parse_outcome(std::string_view text) {
  if (text == "succeeded") return RetentionRule::Outcome::succeeded;
  if (text == "failed") return RetentionRule::Outcome::failed;
  return fail(ErrorKind::invalid, fmt::format("'{}' is no status for this: expected succeeded or failed", text));
}

Result<std::size_t> parse_count(std::string_view text) {
  std::size_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return fail(ErrorKind::invalid, fmt::format("'{}' is no number of runs", text));
}

}  // namespace kist::catalog
