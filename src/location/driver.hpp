// What each kind of location does for itself. Loading and packing, which are the same for all, are in location.cpp.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "location/location.hpp"
#include "location/upload.hpp"

namespace kist::location {

class Driver {
 public:
  virtual ~Driver() = default;

  // The location as people know it.
  virtual const std::string& address() const = 0;

  // Brings what is there, as it is, to a target that does not exist.
  virtual Status fetch(const std::filesystem::path& target) = 0;

  // Before anything is sent: makes what must be there first (a bucket).
  virtual Status prepare() { return {}; }
  // Begins to send one object, or file, to the place itself. `at_most`: no more bytes will come.
  virtual Result<std::unique_ptr<Upload>> upload(const Attributes& attributes, std::uint64_t at_most) = 0;
  // Sends a directory artifact as it is.
  virtual Status send_directory(const Artifact& artifact) = 0;

  virtual Result<std::vector<std::string>> list() = 0;

  // Removes the one object at the place itself.
  virtual Status remove_object() = 0;
  // Removes what send_directory() sent.
  virtual Status remove_directory(const Artifact& artifact) = 0;
};

// What is said of a file of an artifact that is sent as NAME.
Attributes attributes_of(const store::Entry& entry, std::string_view name);

using MadeDriver = Result<std::unique_ptr<Driver>>;

// Each reads the fields it knows. Errors: invalid (fields), not_found (secrets).
MadeDriver make_s3(const model::Location& location, const Context& context);
MadeDriver make_oss(const model::Location& location, const Context& context);
MadeDriver make_gcs(const model::Location& location, const Context& context);
MadeDriver make_azure(const model::Location& location, const Context& context);
MadeDriver make_http(const model::Location& location, const Context& context);
MadeDriver make_artifactory(const model::Location& location, const Context& context);
MadeDriver make_hdfs(const model::Location& location, const Context& context);
MadeDriver make_git(const model::Location& location, const Context& context);
MadeDriver make_file(const model::Location& location, const Context& context);

}  // namespace kist::location
