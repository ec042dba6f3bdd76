// Values are built here from the parser's events, not by the library's own builder: that one looks each key up among
// the others (an object of 100,000 keys took a minute), nests without a limit (and destroys by recursion), and throws.
#include "base/json.hpp"

#include <algorithm>
#include <unordered_set>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace kist {
namespace {

constexpr std::size_t kDeepest = 200;
// Up to so many keys are told apart by looking at all of them.
constexpr std::size_t kFewKeys = 16;

class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  // Makes room for the key's value.
  bool key(string_t& name) override {
    Open& open = open_.back();
    auto& members = open.value->get_ref<Json::object_t&>();
    if (members.size() == kFewKeys && open.keys.empty())
      for (const auto& member : members) open.keys.insert(member.first);
    bool known = members.size() < kFewKeys
                     ? std::any_of(
                           members.begin(), members.end(), [&](auto& member) { return member.first == name; })
                     : !open.keys.insert(name).second;
    if (known) {
      place_ =
          &std::find_if(members.begin(), members.end(), [&](auto& member) { return member.first == name; })->second;
    } else {
      members.Json::object_t::Container::emplace_back(std::move(name), Json());
      place_ = &members.back().second;
    }
    return true;
  }

  bool parse_error(std::size_t position, const std::string&, const Json::exception& error) override {
    fail_at_ = position > 0 ? position - 1 : 0;
    std::string_view what = error.what();
    // "[json.exception.parse_error.101] parse error at line 1, column 2: …", "[json.exception.out_of_range.406] …".
    what.remove_prefix(std::min(what.find("] ") + 2, what.size()));
    if (auto detail = what.find(": "); what.starts_with("parse error") && detail != std::string_view::npos)
      what.remove_prefix(detail + 2);
    failure_ = what;
    return false;
  }

  bool too_deep() const { return too_deep_; }
  std::size_t fail_at() const { return fail_at_; }
  const std::string& failure() const { return failure_; }
  Json take() { return std::move(root_); }

 private:
  struct Open {
    Json* value;
    std::unordered_set<std::string> keys;  // of an object with many
  };

  // Puts a value where one is expected: at the top, into an array, or at the key that came before.
  Json* put(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back().value->is_array()) {
      auto& items = open_.back().value->get_ref<Json::array_t&>();
      items.push_back(std::move(value));
      return &items.back();
    }
    *place_ = std::move(value);
    return place_;
  }
  bool add(Json value) {
    put(std::move(value));
    return true;
  }
  bool open(Json value) {
    too_deep_ = open_.size() == kDeepest;
    if (!too_deep_) open_.push_back({put(std::move(value)), {}});
    return !too_deep_;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  Json root_;
  std::vector<Open> open_;
  Json* place_ = nullptr;
  bool too_deep_ = false;
  std::size_t fail_at_ = 0;
  std::string failure_;
};

}  // namespace

Result<Json> parse_json(std::string_view text) {
  Builder builder;
  if (Json::sax_parse(text, &builder)) return builder.take();
  if (builder.too_deep()) return fail(ErrorKind::invalid, fmt::format("JSON nested more than {} deep", kDeepest));
  std::string_view before = text.substr(0, std::min(text.size(), builder.fail_at()));
  auto line = 1 + std::count(before.begin(), before.end(), '\n');
  auto column = before.size() - (before.rfind('\n') + 1) + 1;
  return fail(ErrorKind::invalid, fmt::format("line {}, column {}: not JSON: {}", line, column, builder.failure()));
}

std::string to_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}
std::string to_pretty_text(const Json& value) {
  return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

}  // namespace kist
