// Locations outside kist: brings what lies at one to a path of this machine, sends artifacts to one, lists and removes.
// `model::Location` is the data; this floor knows what its kinds mean:
//
//   s3, oss       a bucket, by key         gcs, azure    likewise
//   http          a web address            artifactory   likewise, with a user and a password
//   git           a repository             hdfs          a file or directory of Hadoop, by WebHDFS
//   file          a file or directory of this machine
//
// `key` (the default repository of a home) is the engine's matter, and unknown here.
//
// Buckets have no directories. A directory is one object for each file, KEY/PATH, as other programs know it; what they
// cannot say goes beside it as metadata that they pass over: `kist-mode` (octal, where it is not 0644), `kist-link` (an
// object whose content is where the link leads). An empty directory is an empty object KEY/PATH/. Modes of other
// directories, and times, are lost.
//
// Errors name the place, never a secret. Their kinds: not_found (nothing is there: what makes an optional input
// absent), invalid (a field that is missing or wrong; an archive that is damaged), denied (credentials missing or
// refused), unavailable (the server does not answer or breaks off, after retries; or it was cancelled), corrupt (what
// arrived is not what the server says it has), conflict, no_space, unsupported, io.
//
// Thread-safe: every call stands for itself.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "archive/unpack.hpp"
#include "base/result.hpp"
#include "model/location.hpp"
#include "model/workflow.hpp"
#include "net/http.hpp"
#include "net/retry.hpp"
#include "store/store.hpp"

namespace kist::location {

// Where the servers that files name are in truth (settings.yaml, `endpoints`): the host or HOST:PORT in a file, or a
// pattern ("*.amazonaws.com"), → the address to ask instead: "http://127.0.0.1:9000".
using Endpoints = std::map<std::string, std::string>;

// What a location needs of the world around it.
struct Context {
  // One value of a secret. Errors: not_found, with what to do. Empty: there are no secrets.
  std::function<Result<std::string>(std::string_view name, std::string_view key)> secret;
  Endpoints endpoints;
  std::filesystem::path cache;    // a directory that may be lost: mirrors of git repositories. Made where it is missing
  std::filesystem::path scratch;  // an existing directory for what a transfer needs meanwhile
  std::function<bool()> cancelled = {};  // asked about once a second, from several threads
  net::Moved moved = {};                 // bytes that went over the wire
  // What was left out or changed, for people; from several threads.
  std::function<void(const std::string&)> notice = {};
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::seconds idle_timeout{60};
  net::RetrySettings retry = {};
};

struct LoadOptions {
  // How it is packed there. Not said: a gzip-compressed tar is unpacked, all else stays what it is.
  std::optional<model::Archive> archive;
  archive::UnpackOptions limits = {};  // most_bytes: at most what the disk has left, too
};

// Brings what lies there to `target`, which must not exist, in a directory that does: a file, or a directory. Of an
// archive with one entry at its top, that entry becomes the target. After an error nothing is there.
Status load(const model::Location& location, const LoadOptions& options, const std::filesystem::path& target,
            const Context& context);

// An artifact of the store.
struct Artifact {
  store::Store& store;
  store::ArtifactId id;
  std::string name;  // what its top is called inside an archive
};

// Sends an artifact there, replacing what is there: packed as `archive` says, in one stream that is not staged on disk
// (but for http, artifactory and hdfs, which are told the length before), or as it is. A directory as it is goes file
// by file, several at once. On return the server has taken all of it. After an error a directory may be there in part.
Status save(const model::Location& location, const model::Archive& archive, const Artifact& artifact,
            const Context& context);

// What lies below the location's key, path or prefix: whole keys, ascending. Errors: unsupported (http, artifactory,
// git).
Result<std::vector<std::string>> list(const model::Location& location, const Context& context);

// Removes what save() sent there: exactly the objects that this artifact made, whatever else lies below the key. What
// is gone already is no error.
Status remove(const model::Location& location, const model::Archive& archive, const Artifact& artifact,
              const Context& context);

}  // namespace kist::location
