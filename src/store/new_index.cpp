#include "store/new_index.hpp"

namespace kist::store {

void NewIndex::begin(const Container& container) {
  containers_.push_back(container);
}

Status NewIndex::add(IndexRecord record) {
  if (records_.size() >= kIndexRowsAtOnce) {
    const Container container = containers_.back();
    KIST_TRY(put_aside());
    begin(container);
  }
  record.container = static_cast<std::uint32_t>(containers_.size() - 1);
  records_.push_back(record);
  return {};
}

Status NewIndex::put_aside() {
  put_aside_rows_ += records_.size();
  const IndexSource source = source_of(std::exchange(containers_, {}), std::exchange(records_, {}));
  KIST_TRY_ASSIGN(auto file, TemporaryFile::create(directory_, lease_));
  KIST_TRY(write_index(file, std::span(&source, 1)));
  file.close();
  put_aside_.push_back(std::move(file));
  return {};
}

Status NewIndex::write(const IndexSet& absorbed) {
  if (rows() == 0 && absorbed.empty()) return {};
  std::vector<IndexSource> sources;
  for (const TemporaryFile& part : put_aside_) {
    KIST_TRY_ASSIGN(auto file, IndexFile::open(directory_, part.name(), "."));
    sources.push_back(source_of(std::move(file)));
  }
  sources.push_back(source_of(std::exchange(containers_, {}), std::exchange(records_, {})));
  for (const auto& file : absorbed) sources.push_back(source_of(directory_, file));
  KIST_TRY_ASSIGN(file_, TemporaryFile::create(directory_, lease_));
  KIST_TRY_ASSIGN(name_, write_index(*file_, sources));
  sources.clear();
  put_aside_.clear();
  return {};
}

Status NewIndex::sync() {
  if (!file_) return {};
  KIST_TRY(file_->sync());
  file_->close();
  return {};
}

Status NewIndex::move_in() {
  return file_ ? file_->move_to("index/" + name_) : Status();
}

}  // namespace kist::store
