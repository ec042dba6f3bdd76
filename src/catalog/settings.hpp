// What a person decided for a home: KIST_HOME/settings.yaml, where there is one. Environment variables go before it:
// KIST_QUOTA, KIST_VIEWS, KIST_STARTERS.
//
//   quota: 200GiB            # of the store; nothing new is begun above it
//   views: 20%               # what copies for reading may take: of the disk, or so many bytes
//   xattrs: true             # extended attributes of what is saved are kept
//   starters: false          # no command is started by a process that has done beforehand what all its starts do alike
//   endpoints:               # where servers that files name are in truth
//     s3.amazonaws.com: http://127.0.0.1:9000
//   gc:
//     grace: 1h              # how long what nobody needs stays
//     rules:                 # the first that fits a run decides whether it is removed; with none it stays
//       - {workflow: "train*", keep-last: 10}
//       - {status: failed, older-than: 30d}
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "catalog/home.hpp"

namespace kist::catalog {

// Which finished runs without a tag are removed, besides those whose file lets them go. A run fits where all that is
// given fits.
struct RetentionRule {
  enum class Outcome { any, succeeded, failed };
  std::optional<std::string> workflow = {};  // as a shell pattern
  std::optional<std::string> project = {};   // its directory
  Outcome outcome = Outcome::any;
  // What fits is removed if it is neither among the newest so many of its workflow nor younger than this.
  std::optional<std::size_t> keep_last = {};
  std::optional<std::chrono::nanoseconds> older_than = {};
};

struct Settings {
  std::optional<std::uint64_t> quota = {};
  std::optional<std::uint64_t> views = {};  // bytes; nullopt: any
  bool xattrs = false;
  bool starters = true;
  std::chrono::nanoseconds grace{0};
  std::vector<RetentionRule> rules;
  std::map<std::string, std::string> endpoints;  // location::Endpoints
};

// Errors: invalid, with file, line and column.
Result<Settings> read_settings(const Home& home);

// "500", "64KiB", "1.5GB", "200G" (of 1024). Errors: invalid.
Result<std::uint64_t> parse_size(std::string_view text);
// "90s", "30m", "12h", "30d", "2w". Errors: invalid.
Result<std::chrono::nanoseconds> parse_age(std::string_view text);
// "failed", "succeeded". Errors: invalid.
Result<RetentionRule::Outcome> parse_outcome(std::string_view text);
Result<std::size_t> parse_count(std::string_view text);

}  // namespace kist::catalog
