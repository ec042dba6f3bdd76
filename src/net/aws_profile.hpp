// Where programs that speak to AWS and its like find their credentials and settings: the environment, and the files
// ~/.aws/credentials and ~/.aws/config.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/s3.hpp"

namespace kist::net {

struct AwsProfile {
  std::optional<AwsCredentials> credentials;
  std::string region;
  std::string endpoint;
  std::string ca_file;
  S3Settings::Addressing addressing = S3Settings::Addressing::automatic;
};

// Looks a variable up; nullptr where it is not set.
using Environment = std::function<const char*(const char* name)>;

// A profile named here is read from the files alone. Without one, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and
// AWS_SESSION_TOKEN are taken if they are set, else the profile AWS_PROFILE or "default". Regions, endpoints and
// certificates of the environment (AWS_REGION, AWS_DEFAULT_REGION, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL,
// AWS_CA_BUNDLE) come before those of the files. No credentials anywhere is no error. Errors: not_found (the profile),
// invalid (a file, with its line), unsupported (a profile that gets its keys elsewhere: role_arn, sso, a process).
Result<AwsProfile> find_aws_profile(const std::optional<std::string>& name = std::nullopt);
Result<AwsProfile> find_aws_profile(const std::optional<std::string>& name, const Environment& environment);

}  // namespace kist::net
