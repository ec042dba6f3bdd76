#include "task/mask.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/base64.hpp"

namespace kist::task {

namespace {

constexpr std::string_view kHidden = "***";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

}  // namespace

void Mask::add(std::string_view value) {
  const auto add_one = [&](std::string_view one) {
    if (one.size() < kShortestMasked) return;
    const std::size_t plain = add_text(std::string(one), std::nullopt);
    // Programs write lines: `echo $SECRET | base64`.
    for (const std::string& written : {std::string(one), std::string(one) + "\n"}) add_text(to_base64(written), plain);
  };
  // A value that was read from a file mostly ends with a newline that nobody prints.
  add_one(trimmed(value));
  if (trimmed(value).size() >= kShortestMasked)
    add_text(to_base64(value), add_text(std::string(trimmed(value)), std::nullopt));
  while (value.contains('\n')) {
    add_one(trimmed(value.substr(0, value.find('\n'))));
    value.remove_prefix(value.find('\n') + 1);
  }
  add_one(trimmed(value));
}

std::size_t Mask::add_text(std::string text, std::optional<std::size_t> plain) {
  const auto known = std::ranges::find(values_, text);
  if (known != values_.end()) return static_cast<std::size_t>(known - values_.begin());
  plain_.push_back(plain.value_or(values_.size()));
  values_.push_back(std::move(text));
  return values_.size() - 1;
}

std::vector<std::string> Mask::found_in(std::string_view text) const {
  std::vector<std::string> found;
  for (std::size_t i = 0; i < values_.size(); ++i) {
    if (!text.contains(values_[i])) continue;
    found.push_back(values_[i]);
    if (plain_[i] != i) found.push_back(values_[plain_[i]]);
  }
  return found;
}

std::vector<std::string> Mask::values() const {
  std::vector<std::string> all;
  for (std::size_t i = 0; i < values_.size(); ++i)
    if (plain_[i] == i) all.push_back(values_[i]);
  return all;
}

std::string Mask::hide(std::string_view text) const {
  if (is_empty()) return std::string(text);
  MaskedStream stream;
  std::string hidden = stream.pass(*this, text);
  return hidden + stream.finish(*this);
}

std::string MaskedStream::pass(const Mask& mask, std::string_view bytes) {
  if (mask.is_empty() && held_.empty()) return std::string(bytes);
  held_ += bytes;
  return move_on(mask, false);
}

std::string MaskedStream::finish(const Mask& mask) {
  return move_on(mask, true);
}

// Values may overlap: what is covered grows as long as another one begins in it.
std::string MaskedStream::move_on(const Mask& mask, bool is_end) {
  std::array<bool, 256> begins{};
  for (const std::string& value : mask.values_) begins[static_cast<unsigned char>(value.front())] = true;
  std::string out;
  std::size_t at = 0;
  for (; at < held_.size(); ++at) {
    if (begins[static_cast<unsigned char>(held_[at])]) {
      std::string_view rest = std::string_view(held_).substr(at);
      bool may_grow = false;
      std::size_t longest = 0;
      for (const std::string& value : mask.values_) {
        if (rest.starts_with(value)) longest = std::max(longest, value.size());
        may_grow = may_grow || (rest.size() < value.size() && value.starts_with(rest));
      }
      if (may_grow && !is_end) break;
      if (longest > 0 && covered_ == 0) out += kHidden;
      covered_ = std::max(covered_, longest);
    }
    if (covered_ > 0)
      --covered_;
    else
      out += held_[at];
  }
  held_.erase(0, at);
  return out;
}

}  // namespace kist::task
