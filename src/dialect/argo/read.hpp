// From documents to a Spec: every mapping by its table, every value by its type. Wrong types, unknown keys and what is
// not supported are reported; what can be read is read, so that the checks after it see as much as there is.
#pragma once

#include <string>
#include <vector>

#include "dialect/argo/documents.hpp"
#include "dialect/argo/fields.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"

namespace kist::dialect::argo {

// The workflow a document holds, with everything it refers to in the other documents.
Spec read_workflow(const Document& document, const std::vector<Document>& documents, Report& report);

// One template. `where` is what messages call it.
Template read_template(const yaml::Node& node, const std::string& where, Report& report);

// The parts of templates.
Program read_program(const yaml::Node& node, const Table& table, const std::string& where, Report& report);
std::vector<Program> read_programs(Fields& fields, std::string_view key, const Table& table);
std::vector<Mount> read_mounts(Fields& fields);
std::vector<VolumeSpec> read_volumes(Fields& fields);
// spec.volumeClaimTemplates: directories of the run.
std::vector<VolumeSpec> read_claims(Fields& fields);

std::optional<RetrySpec> read_retry(Fields& fields);
// `synchronization`, and the older mutex and semaphore beside it.
std::vector<LockSpec> read_locks(Fields& fields);
std::optional<MemoSpec> read_memo(Fields& fields);
// withItems, withParam, withSequence; `count`: how many of them there are.
std::optional<LoopSpec> read_loop(Fields& fields, int& count);
// `template`, `templateRef` and `inline`.
Reference read_reference(Fields& fields);
std::vector<HookSpec> read_hooks(Fields& fields);
std::optional<KeySelector> read_selector(Fields& fields, std::string_view key);

// Inputs, outputs or arguments: parameters and artifacts.
enum class Side { inputs, outputs, arguments };
Exchange read_exchange(const yaml::Node* node, Side side, const std::string& where, Report& report);
Artifact read_artifact(const yaml::Node& node, const std::string& where, Report& report);
// The location a mapping names among its keys (`s3: …`); `raw` aside.
std::optional<Place> read_place(Fields& fields);
// What a config map says of a repository: YAML of the shape of an archiveLocation.
Repository read_repository(const yaml::Node& node, const std::string& where, Report& report);

// What an item of a list is called in messages: by its name where it has one.
std::string item_name(const std::string& where, std::size_t index, const yaml::Node& item);

}  // namespace kist::dialect::argo
