// Files and directories of Hadoop's file system. It has no links to speak of: they are named and left out.
#include <algorithm>
#include <mutex>

#include <fcntl.h>
#include <fmt/format.h>

#include "archive/confined.hpp"
#include "base/file.hpp"
#include "base/utf8.hpp"
#include "location/driver.hpp"
#include "location/fields.hpp"
#include "location/pages.hpp"
#include "location/spooled.hpp"
#include "location/webhdfs.hpp"
#include "store/parallel.hpp"

namespace kist::location {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kFilesAtOnce = 8;
constexpr std::size_t kEntriesAtOnce = 1000;
constexpr std::size_t kLongestPath = 8000;  // of HDFS itself: whoever claims a longer one leads in circles
constexpr std::string_view kUsualPort = "9870";

class HdfsDriver final : public Driver {
 public:
  HdfsDriver(std::unique_ptr<WebHdfs> hdfs, std::string path, bool force, const Context& context)
      : hdfs_(std::move(hdfs)),
        path_(std::move(path)),
        force_(force),
        address_(hdfs_->address(path_)),
        context_(context) {}

  const std::string& address() const override { return address_; }

  Status fetch(const fs::path& target) override {
    KIST_TRY_ASSIGN(const HdfsStatus status, hdfs_->status(path_));
    if (status.is_directory) return fetch_directory(status, target);
    if (!status.is_file) return fail(ErrorKind::invalid, fmt::format("{} is neither a file nor a directory", address_));
    KIST_TRY_ASSIGN(const FileDescriptor file, open_file(target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW));
    return fetch_file(path_, status, file.get());
  }

  // That it is there already is said before anything is packed.
  Status prepare() override {
    if (force_) return {};
    const auto status = hdfs_->status(path_);
    if (!status) return status.error().kind == ErrorKind::not_found ? Status() : std::unexpected(status.error());
    if (!status->is_file) return {};
    return fail(ErrorKind::conflict, fmt::format("{} exists already. 'force: true' lets it be replaced", address_));
  }

  Result<std::unique_ptr<Upload>> upload(const Attributes& attributes, std::uint64_t) override {
    unsigned mode = 0644;
    for (const auto& [name, value] : attributes.metadata)
      if (name == "kist-mode") mode = static_cast<unsigned>(std::stoul(value, nullptr, 8));
    return std::make_unique<Spooled>(
        context_.scratch, [this, mode](const net::Body& body) { return hdfs_->write(path_, body, mode, force_); });
  }

  Status send_directory(const Artifact& artifact) override {
    return in_pages(
        kEntriesAtOnce, [&](const auto& take) { return artifact.store.list(artifact.id, {}, take); },
        [&](const std::vector<store::Entry>& page) { return send(artifact, page); });
  }

  Result<std::vector<std::string>> list() override {
    std::vector<std::string> found;
    const auto status = hdfs_->status(path_);
    if (!status && status.error().kind == ErrorKind::not_found) return found;
    if (!status) return std::unexpected(status.error());
    if (!status->is_directory) return std::vector<std::string>{path_};
    KIST_TRY(walk(path_, [&](const std::string& directory, const std::vector<HdfsStatus>& entries) -> Status {
      for (const HdfsStatus& entry : entries)
        if (!entry.is_directory) found.push_back(join(directory, entry.name));
      return {};
    }));
    return found;
  }

  Status remove_object() override {
    KIST_TRY(hdfs_->remove(path_));
    return {};
  }

  Status remove_directory(const Artifact& artifact) override {
    std::vector<std::string> directories;
    auto remove_files = [&](const std::vector<store::Entry>& page) -> Status {
      for (const store::Entry& entry : page)
        if (entry.type == store::EntryType::directory) directories.push_back(path_of(entry));
      return store::in_parallel(kFilesAtOnce, page.size(), [&](std::size_t i) -> Status {
        if (page[i].type != store::EntryType::file) return {};
        const auto removed = hdfs_->remove(path_of(page[i]));
        return removed ? Status() : std::unexpected(removed.error());
      });
    };
    KIST_TRY(in_pages(
        kEntriesAtOnce, [&](const auto& take) { return artifact.store.list(artifact.id, {}, take); }, remove_files));
    // What holds something else stays.
    for (auto each = directories.rbegin(); each != directories.rend(); ++each) KIST_TRY(hdfs_->remove(*each));
    return {};
  }

 private:
  static std::string join(const std::string& directory, const std::string& name) {
    return directory == "/" ? directory + name : directory + "/" + name;
  }
  std::string path_of(const store::Entry& entry) const { return entry.path.empty() ? path_ : join(path_, entry.path); }

  Status go_on() const {
    if (context_.cancelled && context_.cancelled()) return fail(ErrorKind::unavailable, "cancelled");
    return {};
  }
  void leave_out(std::string_view path, std::string_view why) const {
    if (context_.notice) context_.notice(fmt::format("{} was left out: {}", printable(path), why));
  }

  // All directories from this one on, each before those in it. A page a level is kept.
  Status walk(const std::string& directory,
              const std::function<Status(const std::string& directory, const std::vector<HdfsStatus>& entries)>& page) {
    if (directory.size() > kLongestPath)
      return fail(ErrorKind::unavailable, fmt::format("the directories below {} do not come to an end", address_));
    return hdfs_->list(directory, [&](const std::vector<HdfsStatus>& entries) -> Status {
      KIST_TRY(go_on());
      for (const HdfsStatus& entry : entries)
        if (entry.name == "." || entry.name == ".." ||
            entry.name.find_first_of(std::string_view("/\0", 2)) != entry.name.npos)
          return fail(ErrorKind::invalid, fmt::format("illegal file path: {}", printable(join(directory, entry.name))));
      KIST_TRY(page(directory, entries));
      for (const HdfsStatus& entry : entries)
        if (entry.is_directory) KIST_TRY(walk(join(directory, entry.name), page));
      return {};
    });
  }

  static archive::ConfinedDirectory::Attributes attributes_for(const HdfsStatus& status) {
    return {.mode = status.mode, .modified = Time(std::chrono::milliseconds(status.modified))};
  }

  Status fetch_file(const std::string& path, const HdfsStatus& status, int file) {
    KIST_TRY(go_on());
    KIST_TRY(hdfs_->read(path, status, [&](std::span<const std::byte> bytes) { return write_all(file, bytes, path); }));
    return archive::ConfinedDirectory::set_attributes(file, attributes_for(status), path);
  }

  Status fetch_directory(const HdfsStatus& top, const fs::path& target) {
    KIST_TRY_ASSIGN(auto directory, archive::ConfinedDirectory::open(target));
    std::mutex mutex;
    KIST_TRY(walk(path_, [&](const std::string& from, const std::vector<HdfsStatus>& entries) -> Status {
      const std::string below = from.substr(std::min(from.size(), path_ == "/" ? 1 : path_.size() + 1));
      KIST_TRY_ASSIGN(const auto inside, archive::take_apart(below));
      return store::in_parallel(kFilesAtOnce, entries.size(), [&](std::size_t i) -> Status {
        const HdfsStatus& entry = entries[i];
        auto parts = inside;
        parts.push_back(entry.name);
        FileDescriptor file;
        {
          std::lock_guard lock(mutex);
          if (entry.is_directory) return directory.add_directory(parts, attributes_for(entry));
          if (!entry.is_file) {
            leave_out(join(from, entry.name), "neither file nor directory");
            return {};
          }
          KIST_TRY_ASSIGN(file, directory.add_file(parts));
        }
        return fetch_file(join(from, entry.name), entry, file.get());
      });
    }));
    KIST_TRY(directory.finish());
    KIST_TRY_ASSIGN(const FileDescriptor opened, open_file(target, O_RDONLY | O_DIRECTORY));
    return archive::ConfinedDirectory::set_attributes(opened.get(), attributes_for(top), target.string());
  }

  Status send(const Artifact& artifact, const std::vector<store::Entry>& entries) {
    // Directories first, and in order: those that are made on the way have modes of their own. Open to their owner, who
    // has yet to fill them.
    std::vector<const store::Entry*> files;
    for (const store::Entry& entry : entries) {
      KIST_TRY(go_on());
      if (entry.type == store::EntryType::directory)
        KIST_TRY(hdfs_->make_directory(path_of(entry), (entry.mode & 0777) | 0700));
      else if (entry.type == store::EntryType::link)
        leave_out(entry.path, "HDFS keeps no links. An archive (tar or zip) keeps them");
      else
        files.push_back(&entry);
    }
    return store::in_parallel(kFilesAtOnce, files.size(), [&](std::size_t i) -> Status {
      KIST_TRY(go_on());
      const std::string path = path_of(*files[i]);
      Spooled upload(context_.scratch,
                     [&](const net::Body& body) { return hdfs_->write(path, body, files[i]->mode & 0777, force_); });
      KIST_TRY(artifact.store.read(artifact.id, files[i]->path, [&](auto bytes) { return upload.write(bytes); }));
      return upload.finish();
    });
  }

  std::unique_ptr<WebHdfs> hdfs_;
  std::string path_;
  bool force_;
  std::string address_;
  const Context& context_;
};

// "namenode:8020", as files write it, is where Hadoop's own protocol is spoken; the web is elsewhere.
Result<WebAddress> name_node(std::string_view written, const Endpoints& endpoints) {
  std::string_view authority = written;
  std::string scheme;
  if (const auto colon = written.find("://"); colon != std::string_view::npos) {
    scheme = written.substr(0, colon);
    authority.remove_prefix(colon + 3);
  }
  authority = authority.substr(0, authority.find('/'));
  if (const auto instead = mapped(endpoints, authority)) {
    auto address = parse_web_address(*instead);
    if (address) return address;
    return with_context(fmt::format("the endpoint that {} is mapped to", authority), std::move(address).error());
  }
  auto wrong = [&] {
    return fail(ErrorKind::invalid,
                fmt::format("hdfs: '{}' in 'addresses' is no name node: expected HOST:PORT", printable(written)));
  };
  std::string url;
  if (scheme == "http" || scheme == "https" || scheme == "webhdfs" || scheme == "swebhdfs") {
    url = fmt::format("{}://{}", scheme == "https" || scheme == "swebhdfs" ? "https" : "http", authority);
  } else if (scheme.empty() || scheme == "hdfs") {
    const auto host_end = authority.starts_with('[') ? authority.find(']') + 1 : authority.find(':');
    url = fmt::format("http://{}:{}", authority.substr(0, host_end), kUsualPort);
  } else {
    return wrong();
  }
  auto address = parse_web_address(url);
  return address && !address->has_user ? address : wrong();
}

}  // namespace

MadeDriver make_hdfs(const model::Location& location, const Context& context) {
  const Fields fields(location, context);
  for (const model::LocationField& field : location.fields)
    if (field.name == "krbCCacheSecret" || field.name == "krbKeytabSecret")
      return fail(ErrorKind::unsupported,
                  fmt::format("hdfs: kist does not speak Kerberos ('{}'): a server that takes 'hdfsUser' is needed",
                              field.name));
  KIST_TRY_ASSIGN(const std::string first, fields.required("addresses"));
  KIST_TRY_ASSIGN(const std::string user, fields.required("hdfsUser"));
  KIST_TRY_ASSIGN(std::string path, fields.required("path"));
  if (!path.starts_with('/') || path.contains('\0'))
    return fail(ErrorKind::invalid, fmt::format("hdfs: 'path' is '{}', expected an absolute path", printable(path)));
  path = fs::path(path).lexically_normal().string();
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  KIST_TRY_ASSIGN(const bool force, fields.flag("force"));
  std::vector<WebAddress> name_nodes;
  for (const std::string& written : fields.texts("addresses")) {
    KIST_TRY_ASSIGN(name_nodes.emplace_back(), name_node(written, context.endpoints));
  }
  // What goes over the wire in the open would be less than what the file asks for.
  const std::string protection = fields.text("dataTransferProtection");
  if (protection == "integrity" || protection == "privacy") {
    for (const WebAddress& address : name_nodes)
      if (address.scheme != "https")
        return fail(ErrorKind::unsupported,
                    fmt::format("hdfs: 'dataTransferProtection: {}' is kept over https only, and {} is asked by http: "
                                "'endpoints' of settings.yaml says where else",
                                protection, address.authority));
  } else if (!protection.empty() && protection != "authentication") {
    return fail(ErrorKind::invalid, fmt::format("hdfs: 'dataTransferProtection' is '{}', expected authentication, "
                                                "integrity or privacy",
                                                printable(protection)));
  }
  std::string shown = first.contains("://") ? first.substr(first.find("://") + 3) : first;
  shown = "hdfs://" + printable(shown.substr(0, shown.find('/')));
  return std::make_unique<HdfsDriver>(std::make_unique<WebHdfs>(name_nodes, user, std::move(shown), context),
                                      std::move(path), force, context);
}

}  // namespace kist::location
