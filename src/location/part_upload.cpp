#include "location/part_upload.hpp"

#include <algorithm>

namespace kist::location {
namespace {

constexpr std::uint64_t kPartSize = 8 << 20;
constexpr std::uint64_t kMostParts = 10'000;
constexpr std::uint64_t kMebibyte = 1 << 20;

}  // namespace

std::size_t part_size_for(std::uint64_t at_most) {
  const std::uint64_t least = at_most / kMostParts + 1;
  return static_cast<std::size_t>(std::max(kPartSize, (least + kMebibyte - 1) / kMebibyte * kMebibyte));
}

PartUpload::~PartUpload() {
  for (auto& each : sending_) each.wait();
  if (begun_ && !completed_) parts_->abort();
}

Status PartUpload::wait_for_oldest() {
  Status sent = sending_.front().get();
  sending_.pop_front();
  return sent;
}

Status PartUpload::hand_over() {
  if (!begun_) {
    KIST_TRY(parts_->begin());
    begun_ = true;
  }
  while (sending_.size() >= parallel_) KIST_TRY(wait_for_oldest());
  const unsigned number = ++count_;
  sending_.push_back(std::async(
      std::launch::async, [this, number, bytes = std::exchange(buffer_, {})] { return parts_->part(number, bytes); }));
  return {};
}

Status PartUpload::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    // A full part is sent when more comes, so that the last one is never empty.
    if (buffer_.size() == part_size_) KIST_TRY(hand_over());
    const std::size_t count = std::min(bytes.size(), part_size_ - buffer_.size());
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
    bytes = bytes.subspan(count);
  }
  return {};
}

Status PartUpload::finish() {
  if (!begun_) return parts_->whole(buffer_);
  KIST_TRY(hand_over());
  while (!sending_.empty()) KIST_TRY(wait_for_oldest());
  KIST_TRY(parts_->complete(count_));
  completed_ = true;
  return {};
}

}  // namespace kist::location
