// The remotes that were added: names for the places that runs are pushed to and pulled from, kept in
// KIST_HOME/remotes.json (mode 0600). No credentials are in it: they are found where the tools of each place keep
// theirs, or by the name of a profile.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "catalog/home.hpp"
#include "cli/house.hpp"
#include "net/object_store.hpp"
#include "net/s3_objects.hpp"
#include "store/remote.hpp"

namespace kist::cli {

// What can be said of a place beside its address. Credentials are not: they are looked for where other programs find
// them.
struct PlaceOptions {
  std::optional<std::string> endpoint;
  std::optional<std::string> region;
  std::optional<std::string> profile;
  std::optional<std::string> ca_file;     // absolute
  std::optional<std::string> token_file;  // absolute; of another kist
};

struct NamedRemote {
  std::string name;
  std::string url;  // "file:///srv/kist", "s3://bucket/prefix", "https://host:2746"
  PlaceOptions options;
};

// The file, read. Not thread-safe.
class Remotes {
 public:
  // None where there is no file. Errors: invalid (it is damaged).
  static Result<Remotes> load(const catalog::Home& home);

  const std::vector<NamedRemote>& all() const { return all_; }
  const std::string& default_name() const { return default_; }
  // nullopt: the default. Errors: not_found (the text says how to add one).
  Result<NamedRemote> find(const std::optional<std::string>& name) const;

  // Read the file again, change it and write it, while nobody else does. The first that is added is the default, and so
  // is one that is added with `make_default`. Errors: conflict, invalid (the name), not_found.
  static Status add(const catalog::Home& home, const NamedRemote& remote, bool make_default);
  static Status remove(const catalog::Home& home, std::string_view name);

 private:
  Status save(const catalog::Home& home) const;
  std::vector<NamedRemote> all_;
  std::string default_;
};

// A path or URL as it was typed, in the form that is kept: "s3://bucket/prefix?endpoint=…&region=…" is taken apart, and
// what `options` say comes before it. `directory` is what relative paths hang off. Errors: invalid, unsupported (a
// scheme that kist does not speak).
Result<NamedRemote> read_remote(std::string name, std::string_view typed, PlaceOptions options,
                                const std::filesystem::path& directory);
// How to reach the bucket of an "s3://" URL.
net::S3Options s3_options(const PlaceOptions& options);

// The place behind a URL. `create`: a directory is made where it is missing.
Result<std::unique_ptr<net::ObjectStore>> open_place(const NamedRemote& remote, bool create);

// A remote by its name; nullopt: the default one.
struct OpenRemote {
  NamedRemote named;
  std::unique_ptr<store::RemoteStore> store;
};
Result<OpenRemote> open_remote(House& house, const std::optional<std::string>& name);

}  // namespace kist::cli
