#include "engine/run_record.hpp"

#include <nlohmann/json.hpp>

#include "base/json.hpp"
#include "store/store.hpp"

namespace kist::engine {

Result<model::RunRecord> read_run_record(store::Store& store, const Digest& digest) {
  KIST_TRY_ASSIGN(const std::string text, store.object(digest));
  KIST_TRY_ASSIGN(const Json value, parse_json(text));
  return model::run_from_json(value);
}

model::RunRecord hide_secrets(model::RunRecord run) {
  for (model::NodeRecord& node : run.nodes)
    for (auto* parameters : {&node.input_parameters, &node.output_parameters})
      for (model::ParameterRecord& parameter : *parameters) parameter.value = model::shown_value(parameter);
  return run;
}

}  // namespace kist::engine
