// Whatever is asked of the object endpoint is answered once, and nothing is touched outside of its directory.
//
// The input is lines: the method, the path below the endpoint, the query, then headers ("if-match: x") up to an empty
// line; the rest is the body. A line "%%" behind it begins another request.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "serve/objects.hpp"
#include "serve/routes.hpp"

namespace {

using namespace kist;
namespace fs = std::filesystem;

std::string_view take_line(std::string_view& text) {
  const std::string_view line = text.substr(0, text.find('\n'));
  text.remove_prefix(std::min(text.size(), line.size() + 1));
  return line;
}

class Fuzzed final : public serve::Exchange {
 public:
  explicit Fuzzed(std::string_view text) {
    method = take_line(text);
    path = std::string(serve::kObjectsPath) + std::string(take_line(text));
    if (auto parsed = net::parse_query(take_line(text))) query = std::move(*parsed);
    while (!text.empty()) {
      const std::string_view line = take_line(text);
      if (line.empty()) break;
      const auto colon = line.find(": ");
      if (colon != std::string_view::npos) headers_.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    }
    body_ = text;
  }
  std::string_view header(std::string_view name) const override {
    if (name == "authorization") return "Bearer token";
    for (const auto& [key, value] : headers_)
      if (key == name) return value;
    return {};
  }
  Result<std::size_t> read(std::span<std::byte> into) override {
    const std::size_t count = std::min(into.size(), body_.size());
    if (count > 0) std::memcpy(into.data(), body_.data(), count);
    body_.remove_prefix(count);
    return count;
  }
  Status answer(int status, const serve::HttpHeaders&, std::string_view) override {
    if (answered_) return fail(ErrorKind::unavailable, "answered already");
    if (status < 200 || status > 599) __builtin_trap();
    answered_ = true;
    return {};
  }
  Status begin_answer(int status, const serve::HttpHeaders&, std::uint64_t length) override {
    if (answered_ || status < 200 || status > 599) __builtin_trap();
    answered_ = true;
    left_ = method == "HEAD" ? 0 : length;
    return {};
  }
  Status write(std::span<const std::byte> bytes) override {
    if (bytes.size() > left_) __builtin_trap();
    left_ -= bytes.size();
    return {};
  }
  bool complete() const { return answered_ && left_ == 0; }

 private:
  std::vector<std::pair<std::string, std::string>> headers_;
  std::string_view body_;
  bool answered_ = false;
  std::uint64_t left_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto scratch = ScratchDirectory::make("/dev/shm", "kist-fuzz-").value();
  const fs::path top = scratch.path() / "above" / "objects";
  auto objects = net::open_directory_objects(top, true);
  if (!objects) __builtin_trap();
  serve::Routes routes("token");
  routes.add(std::string(serve::kObjectsPath), serve::objects_handler(**objects));
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (int requests = 0; !text.empty() && requests < 8; ++requests) {
    const auto end = text.find("\n%%\n");
    Fuzzed exchange(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 4);
    routes(exchange);
    if (!exchange.complete()) __builtin_trap();
  }
  for (const auto& entry : fs::directory_iterator(scratch.path()))
    if (entry.path().filename() != "above") __builtin_trap();
  for (const auto& entry : fs::directory_iterator(top.parent_path()))
    if (entry.path().filename() != "objects") __builtin_trap();
  if (!remove_tree(top.parent_path())) __builtin_trap();
  return 0;
}
