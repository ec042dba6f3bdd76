// A directory as objects, and objects as a directory.
//
// Names come from a server: each is taken apart and refused where it leads out. The directory is new and holds no link
// while files are written, so that nothing can be written through one; links are made at the end, as those of an
// archive are, and may not lead out.
#include "location/bucket.hpp"

#include <charconv>
#include <map>
#include <mutex>
#include <set>

#include <fcntl.h>
#include <fmt/format.h>

#include "archive/confined.hpp"
#include "base/file.hpp"
#include "base/system.hpp"
#include "base/utf8.hpp"
#include "location/pages.hpp"
#include "net/url.hpp"
#include "store/parallel.hpp"

namespace kist::location {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kAtOnce = 8;         // small objects on their way
constexpr std::uint64_t kSmall = 1 << 20;  // files up to this are sent in one request, from memory
constexpr unsigned kPartsAtOnce = 4;       // of one large object
constexpr std::size_t kLongestLink = 4096;
constexpr std::size_t kPage = 1000;

const std::string* metadata(const Attributes& attributes, std::string_view name) {
  for (const auto& [key, value] : attributes.metadata)
    if (key == name) return &value;
  return nullptr;
}

// nullopt where it is none that kist writes.
std::optional<unsigned> mode_of(const Attributes& attributes) {
  const std::string* text = metadata(attributes, "kist-mode");
  unsigned mode = 0;
  if (text == nullptr || text->size() > 5) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), mode, 8);
  if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
  return mode & 0777;
}

// A file that is written as it arrives. What is a link turns out with the first byte.
class Arriving {
 public:
  Arriving(Bucket& bucket, std::string key, fs::path target, const Context& context)
      : bucket_(bucket), key_(std::move(key)), target_(std::move(target)), context_(context) {}

  Status receive() {
    auto begins = [&](const Attributes& attributes) -> Status {
      if (context_.cancelled && context_.cancelled()) return fail(ErrorKind::unavailable, "cancelled");
      mode_ = mode_of(attributes).value_or(0644);
      is_link_ = metadata(attributes, "kist-link") != nullptr;
      if (is_link_) return {};
      file_ = FileDescriptor(
          os::openat(AT_FDCWD, target_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      if (file_) return {};
      if (errno == EEXIST || errno == EISDIR || errno == ENOTDIR)
        return fail(ErrorKind::conflict,
                    fmt::format("{} is an object and the name of others' directory, so it cannot be a file",
                                printable(bucket_.address(key_))));
      return fail_errno(fmt::format("cannot write {}", printable(target_.string())));
    };
    auto takes = [&](std::span<const std::byte> bytes) -> Status {
      if (!is_link_) return write_all(file_.get(), bytes, target_.string());
      link_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      if (link_.size() <= kLongestLink) return {};
      return fail(ErrorKind::invalid, fmt::format("{} is no link", printable(bucket_.address(key_))));
    };
    KIST_TRY(bucket_.get(key_, begins, takes));
    if (file_ && os::fchmod(file_.get(), mode_) != 0)
      return fail_errno(fmt::format("cannot set the mode of {}", printable(target_.string())));
    return {};
  }

  bool is_link() const { return is_link_; }
  const std::string& link() const { return link_; }
  unsigned mode() const { return mode_; }

 private:
  Bucket& bucket_;
  std::string key_;
  fs::path target_;
  const Context& context_;
  FileDescriptor file_;
  unsigned mode_ = 0644;
  bool is_link_ = false;
  std::string link_;
};

// Such a link would be refused where it is loaded.
bool leads_out(const store::Entry& link) {
  if (link.link_target.empty() || link.link_target.starts_with('/')) return true;
  const fs::path parent = fs::path(link.path).parent_path();
  const std::string reached = (parent / link.link_target).lexically_normal().string();
  return reached == ".." || reached.starts_with("../");
}

class AtKey final : public Driver {
 public:
  AtKey(std::unique_ptr<Bucket> bucket, std::string key, const Context& context)
      : bucket_(std::move(bucket)), key_(std::move(key)), address_(bucket_->address(key_)), context_(context) {}

  const std::string& address() const override { return address_; }
  Status prepare() override { return bucket_->prepare(); }

  Status fetch(const fs::path& target) override {
    if (!key_.empty() && !key_.ends_with('/')) {
      Arriving object(*bucket_, key_, target, context_);
      auto received = object.receive();
      if (received && object.is_link())
        return fail(ErrorKind::invalid, fmt::format("{} is a link, and nothing else", address_));
      if (received || received.error().kind != ErrorKind::not_found) return received;
    }
    return fetch_directory(target);
  }

  Result<std::unique_ptr<Upload>> upload(const Attributes& attributes, std::uint64_t at_most) override {
    return bucket_->upload(key_, attributes, at_most, kPartsAtOnce);
  }

  Status send_directory(const Artifact& artifact) override {
    return in_pages(
        kPage, [&](const auto& take) { return each_object(artifact, take); },
        [&](const std::vector<store::Entry>& page) { return send(artifact, page); });
  }

  Result<std::vector<std::string>> list() override {
    std::vector<std::string> found;
    KIST_TRY(bucket_->list(key_, [&](const std::vector<std::string>& keys) -> Result<bool> {
      found.insert(found.end(), keys.begin(), keys.end());
      return true;
    }));
    return found;
  }

  Status remove_object() override { return bucket_->remove({key_}); }

  Status remove_directory(const Artifact& artifact) override {
    return in_pages(
        kPage, [&](const auto& take) { return each_object(artifact, take); },
        [&](const std::vector<store::Entry>& page) {
          std::vector<std::string> keys;
          for (const store::Entry& entry : page) keys.push_back(key_of(entry));
          return bucket_->remove(keys);
        });
  }

 private:
  // "key/", or nothing for the whole bucket.
  std::string below() const { return key_.empty() || key_.ends_with('/') ? key_ : key_ + "/"; }

  std::string key_of(const store::Entry& entry) const {
    const bool directory = entry.type == store::EntryType::directory;
    return below() + entry.path + (directory && !entry.path.empty() ? "/" : "");
  }

  // The entries that become objects: all but directories that have something in them.
  static Status each_object(const Artifact& artifact, const std::function<bool(const store::Entry&)>& each) {
    std::optional<store::Entry> directory;  // that nothing was seen in yet
    bool more = true;
    KIST_TRY(artifact.store.list(artifact.id, {}, [&](const store::Entry& entry) {
      // In path order "a-b" may come between "a" and "a/c": then "a" is asked for once more.
      if (directory && !entry.path.starts_with(directory->path.empty() ? "" : directory->path + "/"))
        more = !is_empty(artifact, *directory) || each(*directory);
      directory.reset();
      if (entry.type == store::EntryType::directory)
        directory = entry;
      else if (more)
        more = each(entry);
      return more;
    }));
    if (more && directory && is_empty(artifact, *directory)) (void)each(*directory);
    return {};
  }

  static bool is_empty(const Artifact& artifact, const store::Entry& directory) {
    std::size_t entries = 0;
    (void)artifact.store.list(artifact.id, {.prefix = directory.path, .recursive = false},
                              [&](const store::Entry&) { return ++entries < 2; });
    return entries < 2;
  }

  Status send(const Artifact& artifact, const std::vector<store::Entry>& entries) {
    return store::in_parallel(kAtOnce, entries.size(), [&](std::size_t i) -> Status {
      if (context_.cancelled && context_.cancelled())
        return fail(ErrorKind::unavailable, fmt::format("sending {} was cancelled", address_));
      return send_one(artifact, entries[i]);
    });
  }

  Status send_one(const Artifact& artifact, const store::Entry& entry) {
    const std::string key = key_of(entry);
    Attributes attributes = attributes_of(entry, key);
    switch (entry.type) {
      case store::EntryType::directory:
        attributes.content_type = "application/x-directory";
        if ((entry.mode & 0777) == 0755) attributes.metadata.clear();
        return bucket_->put(key, {}, attributes);
      case store::EntryType::link:
        if (leads_out(entry)) {
          if (context_.notice)
            context_.notice(fmt::format("{}: a link out of the artifact was not sent", printable(entry.path)));
          return {};
        }
        attributes.content_type = "text/plain; charset=utf-8";
        attributes.metadata.emplace_back("kist-link", "yes");
        return bucket_->put(key, net::text_body(entry.link_target), attributes);
      case store::EntryType::file:
        break;
    }
    if (entry.size > kSmall) {
      KIST_TRY_ASSIGN(const auto upload, bucket_->upload(key, attributes, entry.size, 1));
      KIST_TRY(artifact.store.read(artifact.id, entry.path, [&](auto bytes) { return upload->write(bytes); }));
      return upload->finish();
    }
    std::vector<std::byte> content;
    content.reserve(static_cast<std::size_t>(entry.size));
    KIST_TRY(artifact.store.read(artifact.id, entry.path, [&](std::span<const std::byte> bytes) {
      content.insert(content.end(), bytes.begin(), bytes.end());
      return Status();
    }));
    return bucket_->put(key, {.bytes = content}, attributes);
  }

  Status fetch_directory(const fs::path& target) {
    const std::string prefix = below();
    bool found = false;
    std::map<std::string, std::string> links;  // path → where it leads
    std::map<std::string, unsigned> modes;     // of empty directories
    std::mutex mutex;
    std::set<fs::path> made;
    auto make = [&](const fs::path& directory) -> Status {
      std::lock_guard lock(mutex);
      if (!made.insert(directory).second) return {};
      std::error_code error;
      fs::create_directories(directory, error);
      if (!error) return {};
      if (error == std::errc::not_a_directory || error == std::errc::file_exists)
        return fail(ErrorKind::conflict,
                    fmt::format("below {} an object is named as a directory of others: {}", address_,
                                printable(directory.lexically_relative(target).string())));
      return fail_errno(fmt::format("cannot make {}", printable(directory.string())), error.value());
    };
    auto fetch_one = [&](const std::string& key) -> Status {
      const std::string_view name = std::string_view(key).substr(prefix.size());
      const bool is_directory = name.empty() || name.ends_with('/');
      // "a//b" is another object than "a/b" and cannot be another file.
      if (name.starts_with('/') || name.contains("//") || name.contains('\0'))
        return fail(ErrorKind::invalid, fmt::format("illegal file path: {}", printable(key)));
      KIST_TRY_ASSIGN(const auto parts, archive::take_apart(name));
      if (parts.empty()) return make(target);
      const fs::path path = target / archive::join(parts);
      KIST_TRY(make(is_directory ? path : path.parent_path()));
      if (is_directory) {
        Attributes attributes;
        KIST_TRY(bucket_->get(
            key,
            [&](const Attributes& told) {
              attributes = told;
              return Status();
            },
            [](std::span<const std::byte>) { return Status(); }));
        std::lock_guard lock(mutex);
        if (auto mode = mode_of(attributes)) modes[archive::join(parts)] = *mode;
        return {};
      }
      Arriving object(*bucket_, key, path, context_);
      KIST_TRY(object.receive());
      std::lock_guard lock(mutex);
      if (object.is_link()) links[archive::join(parts)] = object.link();
      return {};
    };
    auto fetch_page = [&](const std::vector<std::string>& keys) -> Result<bool> {
      found = found || !keys.empty();
      if (!keys.empty()) KIST_TRY(make(target));
      KIST_TRY(store::in_parallel(kAtOnce, keys.size(), [&](std::size_t i) { return fetch_one(keys[i]); }));
      return true;
    };
    KIST_TRY(bucket_->list(prefix, fetch_page));
    if (!found) return fail(ErrorKind::not_found, fmt::format("there is nothing at {}", address_));
    KIST_TRY_ASSIGN(auto directory, archive::ConfinedDirectory::open(target));
    for (const auto& [path, leads_to] : links) {
      KIST_TRY_ASSIGN(const auto parts, archive::take_apart(path));
      KIST_TRY(directory.add_link(parts, leads_to, std::nullopt));
    }
    for (const auto& [path, mode] : modes) {
      KIST_TRY_ASSIGN(const auto parts, archive::take_apart(path));
      KIST_TRY(directory.add_directory(parts, {.mode = mode, .modified = std::nullopt}));
    }
    return directory.finish();
  }

  std::unique_ptr<Bucket> bucket_;
  std::string key_;
  std::string address_;
  const Context& context_;
};

}  // namespace

std::unique_ptr<Driver> at_key(std::unique_ptr<Bucket> bucket, std::string key, const Context& context) {
  return std::make_unique<AtKey>(std::move(bucket), std::move(key), context);
}

}  // namespace kist::location
