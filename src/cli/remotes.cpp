#include "cli/remotes.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/file.hpp"
#include "base/json.hpp"
#include "net/directory_objects.hpp"
#include "net/kist_objects.hpp"
#include "net/url.hpp"

namespace kist::cli {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kLargestFile = 1 << 20;
constexpr std::string_view kFile = "file://";
constexpr std::string_view kBucket = "s3://";

fs::path file_of(const catalog::Home& home) {
  return home.path() / "remotes.json";
}

Result<FileLock> lock(const catalog::Home& home) {
  return FileLock::lock(home.path() / "remotes.lock", FileLock::Kind::exclusive);
}

// A name is a word on the command line, and what stands before the slash in REMOTE/TAG.
Status check_name(std::string_view name) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  };
  if (!name.empty() && name.size() <= 64 && name.front() != '-' && name.front() != '.' &&
      std::ranges::all_of(name, plain))
    return {};
  return fail(ErrorKind::invalid,
              fmt::format("'{}' cannot be the name of a remote: it has 1 to 64 letters, digits, '-', '_' and '.', and "
                          "begins with a letter, a digit or '_'",
                          name));
}

Result<std::string> directory_url(std::string_view typed, const fs::path& directory) {
  const auto colon = typed.find(':');
  const auto slash = typed.find('/');
  std::string_view path = typed;
  if (typed.starts_with("file:")) {
    path = typed.substr(5);
    if (path.starts_with("//")) path = path.substr(2);
    if (!path.starts_with('/'))
      return fail(ErrorKind::invalid, fmt::format("{}: expected file:///PATH, the path absolute", typed));
  } else if (colon != std::string_view::npos && (slash == std::string_view::npos || colon < slash)) {
    return fail(
        ErrorKind::unsupported,
        fmt::format("{}: a remote is a directory (a path, or file:///PATH), s3://BUCKET/PREFIX or https://HOST:PORT",
                    typed));
  }
  if (path.empty()) return fail(ErrorKind::invalid, "Where is the remote? Expected a directory or s3://BUCKET/PREFIX");
  fs::path whole = (directory / path).lexically_normal();
  if (!whole.has_filename() && whole.has_relative_path()) whole = whole.parent_path();
  return fmt::format("{}{}", kFile, whole.string());
}

// Another kist, which serves its objects.
bool is_kist(std::string_view url) {
  return url.starts_with("http://") || url.starts_with("https://");
}

constexpr std::string_view kTokenFile = "token-file";

// The options of a place by the names they have in URLs and in the file.
std::optional<std::string>* option_of(PlaceOptions& options, std::string_view name) {
  if (name == "endpoint") return &options.endpoint;
  if (name == "region") return &options.region;
  if (name == "profile") return &options.profile;
  if (name == "ca") return &options.ca_file;
  if (name == kTokenFile) return &options.token_file;
  return nullptr;
}
constexpr std::string_view kOptions[] = {"endpoint", "region", "profile", "ca", kTokenFile};

// "s3://bucket/prefix?endpoint=…&region=…".
Status read_bucket(std::string_view typed, NamedRemote& remote) {
  const auto question = typed.find('?');
  remote.url = typed.substr(0, question);
  while (remote.url.ends_with('/')) remote.url.pop_back();
  KIST_TRY(net::parse_s3_address(remote.url));
  if (question == std::string_view::npos) return {};
  KIST_TRY_ASSIGN(const auto query, net::parse_query(typed.substr(question + 1)));
  for (const auto& [name, value] : query) {
    auto* option = name == kTokenFile ? nullptr : option_of(remote.options, name);
    // Credentials in an address would be kept and shown.
    if (option == nullptr)
      return fail(ErrorKind::invalid,
                  fmt::format("'{}' in {}: expected endpoint, region, profile or ca; keys come from the environment or "
                              "a profile",
                              name, remote.url));
    if (!*option) *option = value;
  }
  return {};
}

}  // namespace

Result<Remotes> Remotes::load(const catalog::Home& home) {
  Remotes remotes;
  auto text = read_file(file_of(home), kLargestFile);
  if (!text && text.error().kind == ErrorKind::not_found) return remotes;
  if (!text) return std::unexpected(text.error());
  auto damaged = [&](std::string_view what) {
    return fail(ErrorKind::invalid, fmt::format("{}: {}; correct it, or remove it and add the remotes again",
                                                file_of(home).string(), what));
  };
  auto value = parse_json(*text);
  if (!value) return damaged(value.error().text);
  const auto listed = value->find("remotes");
  if (!value->is_object() || listed == value->end() || !listed->is_array()) return damaged("expected a list 'remotes'");
  for (const Json& one : *listed) {
    const auto name = one.is_object() ? one.find("name") : one.end();
    const auto url = one.is_object() ? one.find("url") : one.end();
    if (name == one.end() || url == one.end() || !name->is_string() || !url->is_string())
      return damaged("expected each remote to have 'name' and 'url'");
    NamedRemote& remote = remotes.all_.emplace_back(NamedRemote{name->get<std::string>(), url->get<std::string>(), {}});
    for (const auto option : kOptions)
      if (const auto given = one.find(option); given != one.end() && given->is_string())
        *option_of(remote.options, option) = given->get<std::string>();
  }
  if (const auto chosen = value->find("default"); chosen != value->end() && chosen->is_string())
    remotes.default_ = chosen->get<std::string>();
  return remotes;
}

Status Remotes::save(const catalog::Home& home) const {
  Json listed = Json::array();
  for (NamedRemote remote : all_) {
    Json& one = listed.emplace_back(Json{{"name", remote.name}, {"url", remote.url}});
    for (const auto option : kOptions)
      if (const auto& value = *option_of(remote.options, option)) one[std::string(option)] = *value;
  }
  const Json value{{"default", default_}, {"remotes", std::move(listed)}};
  return replace_file(file_of(home), to_pretty_text(value) + "\n", 0600);
}

Result<NamedRemote> Remotes::find(const std::optional<std::string>& name) const {
  if (all_.empty())
    return fail(ErrorKind::not_found,
                "No remote configured. `kist remote add NAME URL` adds one: a directory, or s3://BUCKET/PREFIX");
  const auto found = std::ranges::find(all_, name.value_or(default_), &NamedRemote::name);
  if (found != all_.end()) return *found;
  if (!name) return fail(ErrorKind::not_found, "Which remote? None is the default: --remote NAME");
  return fail(ErrorKind::not_found,
              fmt::format("There is no remote '{}'; `kist remote list` lists them, `kist remote add` adds one", *name));
}

Status Remotes::add(const catalog::Home& home, const NamedRemote& remote, bool make_default) {
  KIST_TRY(check_name(remote.name));
  KIST_TRY_ASSIGN(const auto held, lock(home));
  KIST_TRY_ASSIGN(Remotes remotes, load(home));
  if (std::ranges::find(remotes.all_, remote.name, &NamedRemote::name) != remotes.all_.end())
    return fail(ErrorKind::conflict, fmt::format("There is a remote '{}' already; `kist remote remove {}` forgets it",
                                                 remote.name, remote.name));
  remotes.all_.push_back(remote);
  if (make_default || remotes.all_.size() == 1) remotes.default_ = remote.name;
  return remotes.save(home);
}

Status Remotes::remove(const catalog::Home& home, std::string_view name) {
  KIST_TRY_ASSIGN(const auto held, lock(home));
  KIST_TRY_ASSIGN(Remotes remotes, load(home));
  if (std::erase_if(remotes.all_, [&](const NamedRemote& remote) { return remote.name == name; }) == 0)
    return fail(ErrorKind::not_found, fmt::format("There is no remote '{}'", name));
  if (remotes.default_ == name) remotes.default_ = remotes.all_.size() == 1 ? remotes.all_.front().name : "";
  return remotes.save(home);
}

Result<NamedRemote> read_remote(std::string name, std::string_view typed, PlaceOptions options,
                                const fs::path& directory) {
  NamedRemote remote{std::move(name), {}, std::move(options)};
  PlaceOptions& given = remote.options;
  const bool of_bucket = given.endpoint || given.region || given.profile;
  if (typed.starts_with(kBucket)) {
    if (given.token_file) return fail(ErrorKind::invalid, "--token-file is for http://… and https://…");
    KIST_TRY(read_bucket(typed, remote));
  } else if (is_kist(typed)) {
    if (of_bucket) return fail(ErrorKind::invalid, "--endpoint, --region and --profile are for s3://…");
    KIST_TRY_ASSIGN(const auto url, net::parse_url(typed));
    remote.url = url.origin() + url.path;
  } else {
    if (of_bucket || given.ca_file || given.token_file)
      return fail(ErrorKind::invalid, "a directory needs no options: they are for s3://…, http://… and https://…");
    KIST_TRY_ASSIGN(remote.url, directory_url(typed, directory));
  }
  for (auto* file : {&given.ca_file, &given.token_file})
    if (*file) *file = (directory / **file).lexically_normal().string();
  return remote;
}

net::S3Options s3_options(const PlaceOptions& options) {
  net::S3Options found;
  found.endpoint = options.endpoint;
  found.region = options.region;
  found.profile = options.profile;
  found.ca_file = options.ca_file;
  return found;
}

Result<std::unique_ptr<net::ObjectStore>> open_place(const NamedRemote& remote, bool create) {
  if (remote.url.starts_with(kFile)) return net::open_directory_objects(remote.url.substr(kFile.size()), create);
  if (remote.url.starts_with(kBucket)) return net::open_s3_objects(remote.url, s3_options(remote.options));
  if (is_kist(remote.url)) {
    net::KistSettings settings;
    KIST_TRY_ASSIGN(settings.token, net::find_kist_token(remote.options.token_file));
    settings.http.ca_file = remote.options.ca_file.value_or("");
    return net::open_kist_objects(remote.url, std::move(settings));
  }
  return fail(ErrorKind::unsupported,
              fmt::format("the remote '{}' is at {}, which this kist cannot speak to", remote.name, remote.url));
}

Result<OpenRemote> open_remote(House& house, const std::optional<std::string>& name) {
  KIST_TRY_ASSIGN(const catalog::Home* home, house.home());
  KIST_TRY_ASSIGN(const Remotes remotes, Remotes::load(*home));
  KIST_TRY_ASSIGN(NamedRemote named, remotes.find(name));
  KIST_TRY_ASSIGN(auto place, open_place(named, false));
  KIST_TRY_ASSIGN(auto opened, store::RemoteStore::open(home->store(), std::move(place)));
  return OpenRemote{std::move(named), std::move(opened)};
}

}  // namespace kist::cli
