// What the parts of S3Client hand each other. Not for others.
#pragma once

#include "net/s3.hpp"
#include "net/xml.hpp"

namespace kist::net {

struct S3Client::Request {
  std::string_view doing;  // for messages: "put"
  std::string_view method;
  std::string key;  // empty: the bucket itself
  Query query{};
  HttpHeaders headers{};  // all are signed
  std::optional<Body> body{};
  bool wait_to_send = false;
  bool of_content = false;        // reads or writes what an object holds
  bool error_in_success = false;  // a long request: the server may begin with 200 and then tell of an error
  std::function<Status(const HttpAnswer&)> begins{};
  Sink sink{};
  Moved moved{};
  // Before a transfer that broke is tried again: what shall be different. True where something had moved.
  std::function<bool(Request&)> resume{};
};

struct S3Client::Answer {
  HttpAnswer http;
  std::string code{};  // of an error: "NoSuchKey"; may be empty
  std::string message{};
  std::string region{};   // that the server says is the right one
  bool doubtful = false;  // an earlier attempt may have been done, though its answer never came

  int status() const { return http.status; }
  bool ok() const { return http.ok() && code.empty(); }
};

}  // namespace kist::net
