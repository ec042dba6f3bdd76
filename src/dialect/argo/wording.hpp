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
};

}  // namespace kist::dialect::argo
