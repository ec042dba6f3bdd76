// An object that is sent in parts while it is made: what S3 calls a multipart upload, and others otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <future>
#include <memory>
#include <span>
#include <vector>

#include "location/upload.hpp"

namespace kist::location {

// What a server wants to be told. part() is called from several threads at once.
class Parts {
 public:
  virtual ~Parts() = default;
  // The whole object, where it is not longer than a part.
  virtual Status whole(std::span<const std::byte> bytes) = 0;
  virtual Status begin() = 0;
  // Numbers count from 1; all parts but the last are of one size.
  virtual Status part(unsigned number, std::span<const std::byte> bytes) = 0;
  virtual Status complete(unsigned parts) = 0;
  virtual void abort() = 0;
};

// A part's size for an object of at most so many bytes, where a server takes 10,000 parts: 8 MiB, or what is needed.
std::size_t part_size_for(std::uint64_t at_most);

// Memory: `parallel` + 1 parts.
class PartUpload final : public Upload {
 public:
  PartUpload(std::unique_ptr<Parts> parts, std::size_t part_size, unsigned parallel)
      : parts_(std::move(parts)), part_size_(part_size), parallel_(parallel) {}
  ~PartUpload() override;
  PartUpload(PartUpload&&) = delete;

  Status write(std::span<const std::byte> bytes) override;
  Status finish() override;

 private:
  Status hand_over();
  Status wait_for_oldest();

  std::unique_ptr<Parts> parts_;
  const std::size_t part_size_;
  const unsigned parallel_;
  std::vector<std::byte> buffer_;
  std::deque<std::future<Status>> sending_;
  unsigned count_ = 0;
  bool begun_ = false;
  bool completed_ = false;
};

}  // namespace kist::location
