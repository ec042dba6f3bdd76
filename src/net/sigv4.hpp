// AWS Signature Version 4: how S3 and its like know who asks, and that nobody changed the request.
#pragma once

#include <string>
#include <string_view>

#include "base/time.hpp"
#include "net/http.hpp"
#include "net/url.hpp"

namespace kist::net {

struct AwsCredentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // of temporary credentials; may be empty
};

struct AwsRequest {
  std::string_view method;
  std::string_view path;            // encoded as it is sent
  Query query{};                    // not encoded
  HttpHeaders headers{};            // those to sign, with Host; names in any case, none twice
  std::string_view payload_hash{};  // SHA-256 in hexadecimal digits, or "UNSIGNED-PAYLOAD"
};

// "20150830T123600Z": the value of X-Amz-Date.
std::string aws_time(Time time);

// What is hashed and signed, for whoever looks for the reason of a refusal: the canonical request.
std::string canonical_request(const AwsRequest& request);

// The value of the header Authorization. `request.headers` must hold all headers that shall be signed, X-Amz-Date and
// X-Amz-Security-Token included.
std::string aws_authorization(const AwsRequest& request, const AwsCredentials& credentials, Time time,
                              std::string_view region, std::string_view service);

}  // namespace kist::net
