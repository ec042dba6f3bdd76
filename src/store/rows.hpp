// The rows of all index files at one moment, numbered through, and one bit for each: how one remembers something of
// every chunk of a store with little memory (two bits a chunk are 4 MB for a terabyte).
#pragma once

#include <bit>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "store/chunks.hpp"

namespace kist::store {

// One bit a row; takes no memory before the first is set.
class RowBits {
 public:
  explicit RowBits(std::uint64_t rows) : rows_(rows) {}
  bool test(std::uint64_t row) const { return !words_.empty() && ((words_[row / 64] >> (row % 64)) & 1) != 0; }
  // Whether it was not set before.
  bool set(std::uint64_t row) {
    if (words_.empty()) words_.resize(rows_ / 64 + 1);
    std::uint64_t bit = std::uint64_t{1} << (row % 64);
    bool fresh = (words_[row / 64] & bit) == 0;
    words_[row / 64] |= bit;
    return fresh;
  }
  void clear() { words_.clear(); }

 private:
  std::uint64_t rows_;
  std::vector<std::uint64_t> words_;
};

// Immutable but for what preferred() is told; for one thread.
class Rows {
 public:
  Rows(const StoreDirectory& directory, std::shared_ptr<const IndexSet> set) : set_(std::move(set)) {
    std::map<std::pair<Container::Kind, Digest>, std::uint32_t> numbers;
    for (const auto& file : *set_) {
      auto& mapping = containers_of_.emplace_back();
      for (std::uint32_t i = 0; i < file->containers(); ++i) {
        Container container = file->container(i);
        auto [at, added] =
            numbers.try_emplace({container.kind, container.name}, static_cast<std::uint32_t>(containers_.size()));
        if (added) containers_.push_back({container, false, false});
        // Several files may say different sizes: one of them is right, or none is.
        if (auto status = directory.status(container.path());
            status && S_ISREG(status->st_mode) && static_cast<std::uint64_t>(status->st_size) == container.size) {
          containers_[at->second].container = container;
          containers_[at->second].stands = true;
        }
        mapping.push_back(at->second);
      }
      begins_.push_back(count_);
      count_ += file->records();
    }
  }

  struct Known {
    Container container;
    bool stands = false;
    bool avoided = false;  // another place of the same chunk is preferred
  };
  std::vector<Known>& containers() { return containers_; }
  std::uint64_t count() const { return count_; }

  struct Row {
    IndexRecord record;
    std::uint32_t container = 0;  // in containers()
  };
  Row row(std::uint64_t number) const {
    std::size_t file = begins_.size() - 1;
    while (begins_[file] > number) --file;
    IndexRecord record = (*set_)[file]->record(static_cast<std::uint32_t>(number - begins_[file]));
    const auto& mapping = containers_of_[file];
    return {record, record.container < mapping.size() ? mapping[record.container] : kNowhere};
  }
  static constexpr std::uint32_t kNowhere = UINT32_MAX;

  // The row a chunk is best read by, always the same one: in a container that stands, rather in one that is not
  // avoided.
  std::optional<std::uint64_t> find(const Digest& id) const {
    std::optional<std::uint64_t> second;
    for (std::size_t file = 0; file < set_->size(); ++file) {
      auto position = (*set_)[file]->position(id);
      if (!position) continue;
      std::uint64_t number = begins_[file] + *position;
      std::uint32_t container = row(number).container;
      if (container == kNowhere || !containers_[container].stands) continue;
      if (!containers_[container].avoided) return number;
      if (!second) second = number;
    }
    return second;
  }

 private:
  std::shared_ptr<const IndexSet> set_;
  std::vector<Known> containers_;
  std::vector<std::vector<std::uint32_t>> containers_of_;  // by index file and its own numbers
  std::vector<std::uint64_t> begins_;
  std::uint64_t count_ = 0;
};

}  // namespace kist::store
