// How Argo words what happens to nodes and workflows.
#pragma once

#include <string>
#include <string_view>

#include "model/dialect.hpp"

namespace kist::dialect::argo {

// Has no state: may be used by any thread.
class ArgoWording final : public model::Wording {
 public:
  model::NodeNames names(const model::NodePlace& place) const override;
  std::string process_failed(const model::ProcessEnd& end) const override;
  std::string child_failed(const model::NodeNames& child) const override;
  std::string condition_false(std::string_view condition) const override;
  std::string omitted() const override;
  std::string stopped(bool abort) const override;
  std::string state(model::State state) const override;
  std::string log_prefix(const model::NodeNames& node) const override;
  std::string overdue() const override;
  std::string too_late() const override;
  std::string broken_off() const override;
  std::string no_items() const override;
  std::string undefined(std::string_view definition) const override;
  std::string waiting_for_lock(std::string_view lock, std::size_t free, std::size_t limit) const override;
  std::string waiting_to_retry(std::chrono::nanoseconds wait) const override;
  std::string not_retried(model::RetryEnd why) const override;
  std::string wrong_in_label(std::string_view value) const override;
  Json failure(const model::NodeRecord& node) const override;
};

}  // namespace kist::dialect::argo
