// An upload that is kept until it is whole, for servers that want to know its length first: a request for it can then
// be made as often as needed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "base/file.hpp"
#include "location/upload.hpp"
#include "net/body.hpp"

namespace kist::location {

// What is longer than a mebibyte lies in a file of `scratch` that has no name.
class Spooled final : public Upload {
 public:
  using Send = std::function<Status(const net::Body&)>;
  Spooled(std::filesystem::path scratch, Send send) : scratch_(std::move(scratch)), send_(std::move(send)) {}

  Status write(std::span<const std::byte> bytes) override;
  Status finish() override;

 private:
  std::filesystem::path scratch_;
  Send send_;
  std::vector<std::byte> beginning_;
  FileDescriptor file_;
  std::uint64_t size_ = 0;
};

}  // namespace kist::location
