// Cron lines: when something is to happen again and again. The words are those of Go's robfig/cron, which Argo uses:
// five fields (minute, hour, day of the month, month, day of the week) of `*`, numbers, names, lists, ranges and steps;
// `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`; and `@every DURATION` is not among them.
#pragma once

#include <bitset>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace kist {

// A line, immutable after parsing.
class CronLine {
 public:
  // A zone may be written before it: "CRON_TZ=Europe/Berlin 0 6 * * *". Errors: invalid, naming the field.
  static Result<CronLine> parse(std::string_view line);

  // Whether it fits a local time.
  bool fits(int minute, int hour, int day, int month, int weekday) const;
  const std::string& zone() const { return zone_; }

 private:
  friend std::vector<Time> next_times(const std::vector<CronLine>&, const std::string&, Time, std::size_t);

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<8> weekdays_;
  bool any_day_ = false;
  bool any_weekday_ = false;
  std::string zone_;
};

// The next `count` moments after `from` that fit one of the lines, ascending, each once; fewer where none comes within
// five years. `zone`: a name as "Europe/Berlin"; empty: this machine's. Sets TZ for as long as it runs: no other thread
// may ask for local times meanwhile.
std::vector<Time> next_times(const std::vector<CronLine>& lines, const std::string& zone, Time from, std::size_t count);

}  // namespace kist
