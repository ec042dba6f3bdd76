// MD5, which servers still tell what they have and ask for what they get by. Nothing of kist's own is named or trusted
// by it.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "net/body.hpp"

namespace kist::net {

// One MD5 in progress.
class Md5 {
 public:
  Md5();
  ~Md5();
  Md5(Md5&&) = delete;

  void update(std::span<const std::byte> bytes);

  // One of them, once: as ETags have it, and as the header Content-MD5.
  std::string hex();
  std::string base64();

 private:
  std::string finish();

  struct Context;
  std::unique_ptr<Context> context_;
};

Result<std::string> md5_hex(const Body& body);
Result<std::string> md5_base64(const Body& body);
std::string md5_base64(std::string_view text);

}  // namespace kist::net
