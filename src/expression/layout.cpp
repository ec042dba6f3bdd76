// Layouts: a date written as it shall look, for the moment Mon Jan 2 15:04:05 MST 2006. Printing and reading share the
// cutting of a layout into its fields.
#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "expression/characters.hpp"
#include "expression/date.hpp"

namespace kist::expression {
namespace {

enum class Field {
  none,
  long_month,
  short_month,
  month,
  zero_month,
  long_weekday,
  short_weekday,
  day,
  blank_day,
  zero_day,
  zero_year_day,
  hour,
  hour12,
  zero_hour12,
  minute,
  zero_minute,
  second,
  zero_second,
  year,
  short_year,
  upper_half,
  lower_half,
  zone_name,
  iso_colon_seconds,
  iso_colon,
  iso_seconds,
  iso,
  iso_hours,
  offset_colon_seconds,
  offset_colon,
  offset_seconds,
  offset,
  offset_hours,
  fraction,        // .000: all digits
  short_fraction,  // .999: without zeros at the end
};

struct Spelling {
  std::string_view text;
  Field field;
};

// Longer spellings before their own fronts.
constexpr auto kSpellings = std::to_array<Spelling>({
    {"January", Field::long_month},
    {"Jan", Field::short_month},
    {"Monday", Field::long_weekday},
    {"Mon", Field::short_weekday},
    {"MST", Field::zone_name},
    {"2006", Field::year},
    {"002", Field::zero_year_day},
    {"01", Field::zero_month},
    {"02", Field::zero_day},
    {"03", Field::zero_hour12},
    {"04", Field::zero_minute},
    {"05", Field::zero_second},
    {"06", Field::short_year},
    {"15", Field::hour},
    {"1", Field::month},
    {"2", Field::day},
    {"_2006", Field::none},
    {"_2", Field::blank_day},
    {"3", Field::hour12},
    {"4", Field::minute},
    {"5", Field::second},
    {"PM", Field::upper_half},
    {"pm", Field::lower_half},
    {"-07:00:00", Field::offset_colon_seconds},
    {"-070000", Field::offset_seconds},
    {"-07:00", Field::offset_colon},
    {"-0700", Field::offset},
    {"-07", Field::offset_hours},
    {"Z07:00:00", Field::iso_colon_seconds},
    {"Z070000", Field::iso_seconds},
    {"Z07:00", Field::iso_colon},
    {"Z0700", Field::iso},
    {"Z07", Field::iso_hours},
});

bool is_small_letter(char c) {
  return c >= 'a' && c <= 'z';
}

struct Piece {
  std::string_view literal;  // before the field
  Field field = Field::none;
  std::string_view text;  // the field as the layout spells it
};

// The next field of a layout, which is taken off its front; the last piece has none.
Piece next_piece(std::string_view& layout) {
  for (std::size_t at = 0; at < layout.size(); ++at) {
    std::string_view rest = layout.substr(at);
    auto found = [&](Field field, std::size_t size) {
      Piece piece{layout.substr(0, at), field, rest.substr(0, size)};
      layout.remove_prefix(at + size);
      return piece;
    };
    if ((rest[0] == '.' || rest[0] == ',') && rest.size() > 1 && (rest[1] == '0' || rest[1] == '9')) {
      std::size_t size = 1;
      while (size < rest.size() && rest[size] == rest[1]) ++size;
      if (size == rest.size() || !is_ascii_digit(rest[size]))
        return found(rest[1] == '0' ? Field::fraction : Field::short_fraction, size);
    }
    for (const Spelling& spelling : kSpellings) {
      if (!rest.starts_with(spelling.text)) continue;
      std::size_t size = spelling.text.size();
      bool part_of_word = (spelling.field == Field::short_month || spelling.field == Field::short_weekday) &&
                          size < rest.size() && is_small_letter(rest[size]);
      if (part_of_word) break;
      if (spelling.field == Field::none) {  // "_2006" is a line and a year
        ++at;
        rest.remove_prefix(1);
        return found(Field::year, 4);
      }
      return found(spelling.field, size);
    }
  }
  Piece piece{layout, Field::none, {}};
  layout = {};
  return piece;
}

bool is_offset(Field field) {
  return field >= Field::iso_colon_seconds && field <= Field::offset_hours;
}
bool is_iso(Field field) {
  return field >= Field::iso_colon_seconds && field <= Field::iso_hours;
}
bool has_colon(Field field) {
  return field == Field::iso_colon_seconds || field == Field::iso_colon || field == Field::offset_colon_seconds ||
         field == Field::offset_colon;
}
// How many of hours, minutes, seconds an offset has.
int offset_parts(Field field) {
  if (field == Field::iso_hours || field == Field::offset_hours) return 1;
  bool seconds = field == Field::iso_colon_seconds || field == Field::iso_seconds ||
                 field == Field::offset_colon_seconds || field == Field::offset_seconds;
  return seconds ? 3 : 2;
}

std::string offset_text(Field field, int offset) {
  if (is_iso(field) && offset == 0) return "Z";
  int size = std::abs(offset);
  std::string text = fmt::format("{}{:02}", offset < 0 ? '-' : '+', size / 3600);
  std::string_view colon = has_colon(field) ? ":" : "";
  if (offset_parts(field) > 1) text += fmt::format("{}{:02}", colon, size / 60 % 60);
  if (offset_parts(field) > 2) text += fmt::format("{}{:02}", colon, size % 60);
  return text;
}

std::string fraction_text(std::string_view field, int nanoseconds, bool cut) {
  std::string digits = fmt::format("{:09}", nanoseconds).substr(0, std::min<std::size_t>(field.size() - 1, 9));
  if (cut) digits.erase(digits.find_last_not_of('0') + 1);
  return digits.empty() ? "" : std::string(1, field.front()) + digits;
}

std::string field_text(const Piece& piece, const Date& date, const Civil& now) {
  int hour12 = now.hour % 12 == 0 ? 12 : now.hour % 12;
  switch (piece.field) {
    case Field::none:
      return "";
    case Field::long_month:
      return std::string(month_name(now.month));
    case Field::short_month:
      return std::string(month_name(now.month).substr(0, 3));
    case Field::month:
      return fmt::format("{}", now.month);
    case Field::zero_month:
      return fmt::format("{:02}", now.month);
    case Field::long_weekday:
      return std::string(weekday_name(weekday(date)));
    case Field::short_weekday:
      return std::string(weekday_name(weekday(date)).substr(0, 3));
    case Field::day:
      return fmt::format("{}", now.day);
    case Field::blank_day:
      return fmt::format("{:2}", now.day);
    case Field::zero_day:
      return fmt::format("{:02}", now.day);
    case Field::zero_year_day:
      return fmt::format("{:03}", year_day(date));
    case Field::hour:
      return fmt::format("{:02}", now.hour);
    case Field::hour12:
      return fmt::format("{}", hour12);
    case Field::zero_hour12:
      return fmt::format("{:02}", hour12);
    case Field::minute:
      return fmt::format("{}", now.minute);
    case Field::zero_minute:
      return fmt::format("{:02}", now.minute);
    case Field::second:
      return fmt::format("{}", now.second);
    case Field::zero_second:
      return fmt::format("{:02}", now.second);
    case Field::year:
      return now.year < 0 ? fmt::format("-{:04}", -now.year) : fmt::format("{:04}", now.year);
    case Field::short_year:
      return fmt::format("{:02}", std::abs(now.year % 100));
    case Field::upper_half:
      return now.hour >= 12 ? "PM" : "AM";
    case Field::lower_half:
      return now.hour >= 12 ? "pm" : "am";
    case Field::fraction:
    case Field::short_fraction:
      return fraction_text(piece.text, date.nanoseconds, piece.field == Field::short_fraction);
    default:
      break;
  }
  Zone::Rule rule = date.zone->at(date.seconds);
  if (piece.field != Field::zone_name) return offset_text(piece.field, rule.offset);
  if (!rule.abbreviation.empty()) return rule.abbreviation;
  return offset_text(rule.offset % 3600 == 0 ? Field::offset_hours : Field::offset, rule.offset);
}

class Reader {
 public:
  Reader(std::string_view text, ZonePointer zone) : rest_(text), zone_(std::move(zone)) {}

  std::optional<Date> read(std::string_view layout) {
    while (true) {
      Piece piece = next_piece(layout);
      if (!literal(piece.literal)) return std::nullopt;
      if (piece.field == Field::none) break;
      if (!field(piece, layout)) return std::nullopt;
    }
    if (!rest_.empty() || !in_range()) return std::nullopt;
    if (offset_) {
      Date date = make_date(civil_, fixed_zone("", *offset_));
      // The zone meant keeps its name where it has the same offset then.
      if (*offset_ == 0 && iso_) date.zone = utc();
      if (zone_->at(date.seconds).offset == *offset_) date.zone = zone_;
      return date;
    }
    if (abbreviation_ == "UTC") return make_date(civil_, utc());
    if (!abbreviation_.empty()) {
      Date date = make_date(civil_, zone_);
      if (zone_->at(date.seconds).abbreviation == abbreviation_) return date;
      return make_date(civil_, fixed_zone(abbreviation_, 0));
    }
    return make_date(civil_, zone_);
  }

 private:
  bool literal(std::string_view text) {
    // One blank stands for any number of them.
    while (!text.empty()) {
      if (text.front() == ' ') {
        if (!rest_.empty() && rest_.front() != ' ') return false;
        text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
        rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size()));
        continue;
      }
      if (!rest_.starts_with(text.front())) return false;
      text.remove_prefix(1);
      rest_.remove_prefix(1);
    }
    return true;
  }

  bool number(int& value, std::size_t least, std::size_t most) {
    std::size_t size = 0;
    value = 0;
    while (size < most && size < rest_.size() && is_ascii_digit(rest_[size]))
      value = value * 10 + (rest_[size++] - '0');
    rest_.remove_prefix(size);
    return size >= least;
  }

  bool name(int first, int last, std::string_view (*name_of)(int), bool whole, int& found) {
    for (found = first; found <= last; ++found) {
      std::string_view name = whole ? name_of(found) : name_of(found).substr(0, 3);
      bool same = rest_.size() >= name.size() && std::equal(name.begin(), name.end(), rest_.begin(),
                                                            [](char a, char b) { return (a | 0x20) == (b | 0x20); });
      if (!same) continue;
      rest_.remove_prefix(name.size());
      return true;
    }
    return false;
  }

  bool offset(Field field) {
    if (is_iso(field) && rest_.starts_with('Z')) {
      rest_.remove_prefix(1);
      offset_ = 0;
      iso_ = true;
      return true;
    }
    if (!rest_.starts_with('+') && !rest_.starts_with('-')) return false;
    int sign = rest_.front() == '-' ? -1 : 1;
    rest_.remove_prefix(1);
    int parts[3] = {};
    for (int i = 0; i < offset_parts(field); ++i) {
      if (i > 0 && has_colon(field)) {
        if (!rest_.starts_with(':')) return false;
        rest_.remove_prefix(1);
      }
      if (!number(parts[i], 2, 2)) return false;
    }
    offset_ = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
    iso_ = is_iso(field);
    return true;
  }

  bool fraction(std::size_t least, std::size_t most) {
    if (rest_.size() < 2 || (rest_.front() != '.' && rest_.front() != ',') || !is_ascii_digit(rest_[1]))
      return least == 0;
    rest_.remove_prefix(1);
    std::size_t size = 0;
    int scale = 100'000'000;
    civil_.nanosecond = 0;
    for (; size < most && size < rest_.size() && is_ascii_digit(rest_[size]); ++size, scale /= 10)
      civil_.nanosecond += (rest_[size] - '0') * scale;
    rest_.remove_prefix(size);
    return size >= least;
  }

  bool field(const Piece& piece, std::string_view layout_behind) {
    constexpr std::size_t kAll = 100;
    int ignored = 0;
    int value = 0;
    switch (piece.field) {
      case Field::long_month:
        return name(1, 12, month_name, true, civil_.month);
      case Field::short_month:
        return name(1, 12, month_name, false, civil_.month);
      case Field::month:
        return number(civil_.month, 1, 2);
      case Field::zero_month:
        return number(civil_.month, 2, 2);
      case Field::long_weekday:
        return name(0, 6, weekday_name, true, ignored);
      case Field::short_weekday:
        return name(0, 6, weekday_name, false, ignored);
      case Field::blank_day:
        if (rest_.starts_with(' ')) rest_.remove_prefix(1);
        return number(civil_.day, 1, 2);
      case Field::day:
        return number(civil_.day, 1, 2);
      case Field::zero_day:
        return number(civil_.day, 2, 2);
      case Field::zero_year_day:
        civil_.month = 1;
        return number(civil_.day, 3, 3);
      case Field::hour:
        return number(civil_.hour, 2, 2);
      case Field::hour12:
        return number(civil_.hour, 1, 2) && civil_.hour <= 12;
      case Field::zero_hour12:
        return number(civil_.hour, 2, 2) && civil_.hour <= 12;
      case Field::minute:
        return number(civil_.minute, 1, 2);
      case Field::zero_minute:
        return number(civil_.minute, 2, 2);
      case Field::second:
      case Field::zero_second: {
        if (!number(civil_.second, piece.field == Field::second ? 1 : 2, 2)) return false;
        // A fraction may follow that the layout does not name.
        std::string_view rest = layout_behind;
        Piece next = next_piece(rest);
        bool named = next.literal.empty() && (next.field == Field::fraction || next.field == Field::short_fraction);
        return named || fraction(0, kAll);
      }
      case Field::year:
        if (!number(value, 4, 4)) return false;
        civil_.year = value;
        return true;
      case Field::short_year:
        if (!number(value, 2, 2)) return false;
        civil_.year = value + (value >= 69 ? 1900 : 2000);
        return true;
      case Field::upper_half:
      case Field::lower_half:
        return half();
      case Field::zone_name:
        return zone_name();
      case Field::fraction:
        return fraction(piece.text.size() - 1, piece.text.size() - 1);
      case Field::short_fraction:
        return fraction(0, kAll);
      default:
        return is_offset(piece.field) && offset(piece.field);
    }
  }

  bool half() {
    if (rest_.size() < 2 || (rest_[1] | 0x20) != 'm' || ((rest_[0] | 0x20) != 'a' && (rest_[0] | 0x20) != 'p'))
      return false;
    afternoon_ = (rest_[0] | 0x20) == 'p';
    rest_.remove_prefix(2);
    return true;
  }

  bool zone_name() {
    std::size_t size = 0;
    while (size < rest_.size() && size < 5 && rest_[size] >= 'A' && rest_[size] <= 'Z') ++size;
    if (size < 3) return false;
    abbreviation_ = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }

  bool in_range() {
    if (afternoon_ && *afternoon_ && civil_.hour < 12) civil_.hour += 12;
    if (afternoon_ && !*afternoon_ && civil_.hour == 12) civil_.hour = 0;
    if (civil_.month < 1 || civil_.month > 12 || civil_.hour > 23 || civil_.minute > 59 || civil_.second > 59)
      return false;
    // A day that its month does not have would come back as another.
    Civil day{.year = civil_.year, .month = civil_.month, .day = civil_.day};
    Civil back = civil(make_date(day, utc()));
    return back.day == civil_.day || (civil_.day > 31 && civil_.day <= 366);
  }

  std::string_view rest_;
  ZonePointer zone_;
  Civil civil_{.year = 0};
  std::optional<int> offset_;
  bool iso_ = false;
  std::optional<bool> afternoon_;
  std::string abbreviation_;
};

}  // namespace

std::string format(const Date& date, std::string_view layout) {
  Civil now = civil(date);
  std::string text;
  while (!layout.empty()) {
    Piece piece = next_piece(layout);
    text += piece.literal;
    text += field_text(piece, date, now);
  }
  return text;
}

Result<Date> parse_date(std::string_view layout, std::string_view text, const ZonePointer& zone) {
  if (auto date = Reader(text, zone).read(layout)) return std::move(*date);
  return fail(ErrorKind::invalid, fmt::format("'{}' is not a date like '{}'", text, layout));
}

}  // namespace kist::expression
