// Whatever keys, links and modes a server tells of, nothing is written outside the target.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string_view>

#include "base/file.hpp"
#include "location/bucket.hpp"

namespace {

using namespace kist;
namespace fs = std::filesystem;

struct Object {
  location::Attributes attributes;
  std::string content;
};

class FuzzedBucket final : public location::Bucket {
 public:
  // A line each: KEY TAB MODE TAB CONTENT; a mode that begins with 'l' is a link.
  explicit FuzzedBucket(std::string_view text) {
    while (!text.empty()) {
      const std::string_view line = text.substr(0, text.find('\n'));
      text.remove_prefix(std::min(text.size(), line.size() + 1));
      const auto first = line.find('\t');
      const auto second = first == std::string_view::npos ? first : line.find('\t', first + 1);
      if (second == std::string_view::npos) continue;
      Object object;
      const std::string_view mode = line.substr(first + 1, second - first - 1);
      if (mode.starts_with('l')) object.attributes.metadata.emplace_back("kist-link", "yes");
      object.attributes.metadata.emplace_back("kist-mode", mode);
      object.content = line.substr(second + 1);
      objects_["key/" + std::string(line.substr(0, first))] = std::move(object);
    }
  }
  std::string address(std::string_view key) const override { return "fuzz://" + std::string(key); }
  Status get(std::string_view key, const std::function<Status(const location::Attributes&)>& begins,
             const net::Sink& sink) override {
    const auto found = objects_.find(std::string(key));
    if (found == objects_.end()) return fail(ErrorKind::not_found, "no");
    KIST_TRY(begins(found->second.attributes));
    return sink(std::as_bytes(std::span(found->second.content)));
  }
  Status put(std::string_view, const net::Body&, const location::Attributes&) override { return {}; }
  Result<std::unique_ptr<location::Upload>> upload(std::string_view, const location::Attributes&, std::uint64_t,
                                                   unsigned) override {
    return fail(ErrorKind::unsupported, "no");
  }
  Status list(std::string_view, const std::function<Result<bool>(const std::vector<std::string>&)>& page) override {
    std::vector<std::string> keys;
    for (const auto& [key, object] : objects_) keys.push_back(key);
    KIST_TRY(page(keys));
    return {};
  }
  Status remove(const std::vector<std::string>&) override { return {}; }

 private:
  std::map<std::string, Object> objects_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto scratch = ScratchDirectory::make(fs::temp_directory_path(), "kist-fuzz-").value();
  const fs::path top = scratch.path() / "top";
  fs::create_directories(top);
  const location::Context context;
  auto bucket = std::make_unique<FuzzedBucket>(std::string_view(reinterpret_cast<const char*>(data), size));
  auto driver = location::at_key(std::move(bucket), "key", context);
  const bool done = driver->fetch(top / "target").has_value();
  // Beside the target there is nothing, and no link of it leads there.
  if (std::distance(fs::directory_iterator(scratch.path()), fs::directory_iterator()) != 1) __builtin_trap();
  if (std::distance(fs::directory_iterator(top), fs::directory_iterator()) > 1) __builtin_trap();
  std::error_code error;
  if (done)
    for (const auto& entry : fs::recursive_directory_iterator(top / "target", error))
      if (entry.is_symlink(error) && entry.exists(error)) {
        const fs::path reached = fs::canonical(entry.path(), error).lexically_relative(fs::canonical(top / "target"));
        if (!error && reached.string().starts_with("..")) __builtin_trap();
      }
  if (!remove_tree(top)) __builtin_trap();
  return 0;
}
