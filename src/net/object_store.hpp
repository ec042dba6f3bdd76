// A place that keeps objects under names: a bucket on S3, a directory, another kist. What a remote is built on; it
// knows nothing of what the objects mean.
//
// Names are relative, '/'-separated, ASCII letters, digits and "-_.%" only, at most 900 bytes: every backend takes them
// as they are. Objects are immutable but for those that are put with Condition::matches (references).
//
// Thread-safe: requests of several threads are under way at once.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/body.hpp"

namespace kist::net {

struct ObjectInfo {
  std::string name;
  std::uint64_t size = 0;
  std::string version;  // changes whenever the object is replaced: S3's ETag
};

struct PutCondition {
  enum class Kind { none, absent, matches } kind = Kind::none;
  std::string version;  // of `matches`
};

class ObjectStore {
 public:
  virtual ~ObjectStore() = default;

  // What it is, for messages: "s3://bucket/prefix", "/srv/kist".
  virtual const std::string& address() const = 0;

  // Whether `absent` and `matches` are obeyed, found out once by trying on objects of its own. Errors: unavailable,
  // denied.
  virtual Result<bool> obeys_conditions() = 0;

  // Stores the whole object or nothing of it; it is durable on return, as far as the place can tell. Large bodies are
  // sent in parts, several at once. Transient failures are tried again (with a pause that grows, at most about a
  // minute). Returns the version. Errors: conflict (the condition does not hold), denied, no_space, unavailable, io,
  // corrupt (what arrived is not what was sent).
  virtual Result<std::string> put(std::string_view name, const Body& body, const PutCondition& condition = {},
                                  const Moved& moved = {}) = 0;

  // Bytes [offset, offset+length) in order, in pieces. A connection that breaks is taken up where it broke, so `sink`
  // sees every byte once. Errors: not_found, denied, unavailable, io; those of `sink`.
  using Sink = net::Sink;
  virtual Result<ObjectInfo> get(std::string_view name, const Sink& sink, std::uint64_t offset = 0,
                                 std::uint64_t length = UINT64_MAX) = 0;

  // Errors: not_found, denied, unavailable.
  virtual Result<ObjectInfo> head(std::string_view name) = 0;

  // Every object whose name begins with the prefix, ascending by name, until `each` returns false.
  virtual Status list(std::string_view prefix, const std::function<bool(const ObjectInfo&)>& each) = 0;

  // Removing what is not there is no error.
  virtual Status remove(std::string_view name) = 0;
};

}  // namespace kist::net
