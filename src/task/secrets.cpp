#include "task/secrets.hpp"

#include <algorithm>

#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace kist::task {

namespace {

constexpr std::size_t kLongestHeld = 16 << 10;  // of a line that does not end

}  // namespace

Result<SecretValues> MaskedServices::secret(std::string_view name) {
  {
    std::lock_guard lock(mutex_);
    if (auto found = known_.find(name); found != known_.end()) return found->second;
  }
  KIST_TRY_ASSIGN(SecretValues values, services_.secret(name));
  std::lock_guard lock(mutex_);
  for (const auto& [key, value] : values) mask_.add(value);
  return known_.emplace(name, std::move(values)).first->second;
}

Result<TaskServices::ActedOn> MaskedServices::act_on_object(const model::ObjectRequest& request) {
  KIST_TRY_ASSIGN(ActedOn acted, services_.act_on_object(request));
  std::lock_guard lock(mutex_);
  for (const std::string& value : acted.secrets) mask_.add(value);
  return acted;
}

Result<std::optional<SecretValues>> MaskedServices::values(std::string_view name, bool optional) {
  auto values = secret(name);
  if (values) return std::optional(std::move(*values));
  if (optional && values.error().kind == ErrorKind::not_found) return std::nullopt;
  return std::unexpected(values.error());
}

Result<std::optional<std::string>> MaskedServices::value(const model::SecretReference& reference) {
  std::string name = reference.name.source();
  std::string key = reference.key.source();
  KIST_TRY_ASSIGN(auto all, values(name, reference.optional));
  if (!all) return std::nullopt;
  if (auto found = all->find(key); found != all->end()) return found->second;
  if (reference.optional) return std::nullopt;
  std::vector<std::string> keys;
  for (const auto& [known, value] : *all) keys.push_back(known);
  return fail(ErrorKind::not_found,
              fmt::format("the secret '{}' has no key '{}': there {} {}; add it with `kist secrets add {} {}`", name,
                          key, keys.size() == 1 ? "is" : "are", fmt::join(keys, ", "), name, key));
}

std::string MaskedServices::hide(std::string_view text) {
  std::lock_guard lock(mutex_);
  return mask_.hide(text);
}

std::vector<std::string> MaskedServices::secrets_in(std::string_view text) {
  std::lock_guard lock(mutex_);
  return mask_.found_in(text);
}

void MaskedServices::log_of(std::string_view container, Stream stream, std::string_view bytes) {
  std::lock_guard lock(mutex_);
  if (stream == Stream::kist) return services_.log(stream, mask_.hide(bytes));  // whole lines
  std::string name(container);
  Line& line = lines_[{name, stream}];
  pass_on(name, stream, line, line.masked.pass(mask_, bytes), false);
}

Status MaskedServices::begin_copy(const std::filesystem::path& file) {
  std::lock_guard lock(mutex_);
  copy_path_ = file;
  KIST_TRY_ASSIGN(copy_, open_file(file, O_WRONLY | O_CREAT | O_EXCL, 0644));
  return {};
}

Result<std::filesystem::path> MaskedServices::end_copy() {
  std::lock_guard lock(mutex_);
  copy_.reset();
  KIST_TRY(copied_);
  return copy_path_;
}

void MaskedServices::flush() {
  std::lock_guard lock(mutex_);
  for (auto& [key, line] : lines_) pass_on(key.first, key.second, line, line.masked.finish(mask_), true);
  lines_.clear();
}

void MaskedServices::flush_of(std::string_view container) {
  std::lock_guard lock(mutex_);
  for (auto& [key, line] : lines_)
    if (key.first == container) pass_on(key.first, key.second, line, line.masked.finish(mask_), true);
}

void MaskedServices::pass_on(const std::string& container, Stream stream, Line& line, const std::string& text,
                             bool is_end) {
  if (container.empty()) {
    if (text.empty()) return;
    if (copy_ && copied_) copied_ = write_all(copy_.get(), text, copy_path_.native());
    return services_.log(stream, text);
  }
  line.unfinished += text;
  std::string whole;
  while (true) {
    auto newline = line.unfinished.find('\n');
    bool is_long = newline == std::string::npos && line.unfinished.size() >= kLongestHeld;
    if (newline == std::string::npos && !is_long && !(is_end && !line.unfinished.empty())) break;
    std::size_t length = std::min(newline, line.unfinished.size());
    fmt::format_to(std::back_inserter(whole), "{}: {}\n", container,
                   std::string_view(line.unfinished).substr(0, length));
    line.unfinished.erase(0, newline == std::string::npos ? length : length + 1);
  }
  if (!whole.empty()) services_.log(stream, whole);
}

}  // namespace kist::task
