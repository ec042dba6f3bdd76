// A bucket on S3, or what lies in it below a prefix, as a place that keeps objects.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "net/object_store.hpp"
#include "net/s3.hpp"

namespace kist::net {

// What a user says of a bucket beyond its address; what is left out is looked for as `find_aws_profile` says.
struct S3Options {
  std::optional<std::string> endpoint;
  std::optional<std::string> region;
  std::optional<std::string> profile;
  std::optional<std::string> ca_file;
  std::optional<AwsCredentials> credentials;
  std::optional<S3Settings::Addressing> addressing;
};

struct S3Address {
  std::string bucket;
  std::string prefix;  // without slashes at its ends; may be empty
};

// "s3://bucket" or "s3://bucket/prefix". Errors: invalid.
Result<S3Address> parse_s3_address(std::string_view text);

// Puts together what is given, what the environment says and what the profile says. Errors: those of find_aws_profile.
Result<S3Settings> s3_settings(const std::string& bucket, const S3Options& options);

// Nothing is sent yet. Errors: invalid, and those of s3_settings.
Result<std::unique_ptr<ObjectStore>> open_s3_objects(std::string_view address, const S3Options& options);
// With settings of one's own (tests, measurements).
Result<std::unique_ptr<ObjectStore>> open_s3_objects(std::string_view prefix, S3Settings settings);

}  // namespace kist::net
