#include "expression/strftime.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "expression/date.hpp"

namespace kist::expression {
namespace {

struct Directive {
  std::string_view name;
  std::string_view layout;
};
constexpr auto kDirectives = std::to_array<Directive>({{"B", "January"},
                                                       {"b", "Jan"},
                                                       {"m", "01"},
                                                       {"A", "Monday"},
                                                       {"a", "Mon"},
                                                       {"d", "02"},
                                                       {"H", "15"},
                                                       {"I", "03"},
                                                       {"M", "04"},
                                                       {"S", "05"},
                                                       {"Y", "2006"},
                                                       {"y", "06"},
                                                       {"p", "PM"},
                                                       {"Z", "MST"},
                                                       {"z", "-0700"},
                                                       {"L", ".000"},
                                                       {"s", ""},
                                                       {"RFC3339", kRfc3339}});

}  // namespace

std::optional<std::string> time_field(Time time, std::string_view name) {
  Date date = make_date(time, utc());
  if (name == "s") return fmt::format("{}", date.seconds);
  const auto* field = std::ranges::find(kDirectives, name, &Directive::name);
  if (field == kDirectives.end()) return std::nullopt;
  return format(date, field->layout);
}

const std::vector<std::string>& time_field_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all;
    for (const Directive& field : kDirectives) all.emplace_back(field.name);
    return all;
  }();
  return names;
}

}  // namespace kist::expression
