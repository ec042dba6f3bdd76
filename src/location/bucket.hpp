// A place that keeps objects under keys, as S3, Google and Azure have it, and the location that is a key in one: one
// object, or all below `key/`.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "location/driver.hpp"
#include "location/upload.hpp"
#include "net/body.hpp"

namespace kist::location {

// Thread-safe. Failures that may pass are tried again inside.
class Bucket {
 public:
  virtual ~Bucket() = default;

  // "s3://bucket/key", for messages.
  virtual std::string address(std::string_view key) const = 0;

  // The object's bytes, in order, each once; a transfer that breaks goes on where it broke. `begins` is called before
  // the first. The last word is whether what arrived is what the server says it has: corrupt.
  // Errors: not_found, denied, unavailable, …; those of the sink.
  virtual Status get(std::string_view key, const std::function<Status(const Attributes&)>& begins,
                     const net::Sink& sink) = 0;
  // Small bodies at once.
  virtual Status put(std::string_view key, const net::Body& body, const Attributes& attributes) = 0;
  // `parallel`: so many parts of it may be on their way at once.
  virtual Result<std::unique_ptr<Upload>> upload(std::string_view key, const Attributes& attributes,
                                                 std::uint64_t at_most, unsigned parallel) = 0;
  // Keys that begin with the prefix, a page after the other, ascending, until `page` returns false.
  virtual Status list(std::string_view prefix,
                      const std::function<Result<bool>(const std::vector<std::string>& keys)>& page) = 0;
  // What is not there is no error.
  virtual Status remove(const std::vector<std::string>& keys) = 0;
  virtual Status prepare() { return {}; }
};

// The context must outlive it.
std::unique_ptr<Driver> at_key(std::unique_ptr<Bucket> bucket, std::string key, const Context& context);

}  // namespace kist::location
