#include "engine/committer.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_set>

namespace kist::engine {
namespace {

// Of each only where it stands last.
std::vector<std::size_t> last_changes(const std::vector<std::size_t>& changed) {
  std::unordered_set<std::size_t> seen;
  std::vector<std::size_t> last;
  for (auto each = changed.rbegin(); each != changed.rend(); ++each)
    if (seen.insert(*each).second) last.push_back(*each);
  std::ranges::reverse(last);
  return last;
}

}  // namespace

Committer::Committer(catalog::Catalog& catalog, std::string run, Audience& audience, std::function<void(Error)> broken)
    : catalog_(catalog), run_(std::move(run)), audience_(audience), broken_(std::move(broken)) {
  thread_ = std::jthread([this] { work(); });
}

Committer::~Committer() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

void Committer::node(const model::NodeRecord& node, std::shared_ptr<Receipt> receipt,
                     std::vector<catalog::Measurement> measured) {
  std::lock_guard lock(mutex_);
  auto [position, is_new] = next_.index.try_emplace(node.names.name, next_.nodes.size());
  if (is_new)
    next_.nodes.push_back(node);
  else
    next_.nodes[position->second] = node;
  next_.changed.push_back(position->second);
  if (receipt) next_.receipts.push_back(std::move(receipt));
  std::ranges::move(measured, std::back_inserter(next_.measured));
  changed_.notify_all();
}

void Committer::run(catalog::Changes changes, std::optional<model::RunRecord> shown) {
  std::lock_guard lock(mutex_);
  next_.changes.push_back(std::move(changes));
  if (shown) next_.shown.push_back(std::move(*shown));
  changed_.notify_all();
}

Status Committer::flush() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !status_ || (next_.empty() && !writing_); });
  return status_;
}

void Committer::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return ending_ || !next_.empty(); });
    if (next_.empty()) return;
    Group group = std::exchange(next_, {});
    if (!status_) continue;
    writing_ = true;
    lock.unlock();
    Status written = write(group);
    for (const auto& receipt : group.receipts) receipt->tell(written);
    lock.lock();
    writing_ = false;
    if (!written) {
      status_ = written;
      lock.unlock();
      broken_(written.error());
      lock.lock();
    }
    changed_.notify_all();
  }
}

Status Committer::write(Group& group) {
  catalog::Changes nodes;
  nodes.run = run_;
  nodes.nodes = std::move(group.nodes);
  nodes.measured = std::move(group.measured);
  std::vector<catalog::Changes> changes = std::move(group.changes);
  changes.push_back(std::move(nodes));
  KIST_TRY(catalog_.apply(changes));
  audience_.tell([&](Observer& observer) {
    for (const model::RunRecord& run : group.shown) observer.run_changed(run);
    for (const std::size_t index : last_changes(group.changed)) observer.node_changed(changes.back().nodes[index]);
  });
  return {};
}

}  // namespace kist::engine
