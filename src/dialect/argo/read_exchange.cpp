#include <algorithm>

#include <fmt/format.h>

#include "dialect/argo/read.hpp"

namespace kist::dialect::argo {
namespace {

void read_value_from(const yaml::Node& node, const std::string& where, Report& report, Parameter& parameter) {
  Fields fields(report, node, kValueFrom, where);
  parameter.has_value_from = true;
  parameter.path = fields.text("path");
  parameter.parameter = fields.text("parameter");
  parameter.expression = fields.text("expression");
  parameter.json_path = fields.text("jsonPath");
  parameter.jq_filter = fields.text("jqFilter");
  parameter.config = read_selector(fields, "configMapKeyRef");
  parameter.supplied = fields.find("supplied") != nullptr;
  parameter.event = fields.find("event") != nullptr;
  parameter.absent = fields.any_text("default");
  for (const Field& field : kValueFrom.fields)
    if (field.name != "default" && fields.find(field.name) != nullptr) ++parameter.value_from_sources;
}

Parameter read_parameter(const yaml::Node& node, Side side, const std::string& where, Report& report) {
  Fields fields(report, node, side == Side::outputs ? kOutputParameter : kParameter, where);
  Parameter parameter;
  parameter.mark = node.mark;
  parameter.name = fields.text("name").value_or(Scalar{"", node.mark});
  parameter.value = fields.any_text("value");
  parameter.global = fields.text("globalName");
  if (side != Side::outputs) {
    parameter.fallback = fields.any_text("default");
    if (fields.find("enum") != nullptr) parameter.allowed = fields.any_texts("enum");
  }
  if (const yaml::Node* from = fields.mapping("valueFrom"))
    read_value_from(*from, where + ".valueFrom", report, parameter);
  // A step of one output only, as suspend templates write it: `default` beside `valueFrom`.
  if (side == Side::outputs && parameter.has_value_from && !parameter.absent)
    parameter.absent = fields.any_text("default");
  if (side == Side::outputs && fields.find("enum") != nullptr) parameter.allowed = fields.any_texts("enum");
  return parameter;
}

std::optional<model::Archive> read_archive(const yaml::Node& node, const std::string& where, Report& report) {
  Fields fields(report, node, kArchive, where);
  std::optional<model::Archive> archive;
  int given = 0;
  if (const yaml::Node* none = fields.mapping("none")) {
    const Fields checked(report, *none, kArchiveNone, where + ".none");
    archive = model::Archive{model::Archive::Kind::none, std::nullopt};
    ++given;
  }
  if (const yaml::Node* zip = fields.mapping("zip")) {
    const Fields checked(report, *zip, kArchiveZip, where + ".zip");
    archive = model::Archive{model::Archive::Kind::zip, std::nullopt};
    ++given;
  }
  if (const yaml::Node* tar = fields.mapping("tar")) {
    Fields inner(report, *tar, kArchiveTar, where + ".tar");
    archive = model::Archive{model::Archive::Kind::tar, std::nullopt};
    ++given;
    if (auto level = inner.integer("compressionLevel")) {
      // gzip's levels; -1 is its default.
      if (*level < -1 || *level > 9)
        report.error(inner.find("compressionLevel")->mark,
                     fmt::format("{}.tar.compressionLevel must be from 0 to 9, not {}", where, *level));
      else if (*level >= 0)
        archive->compression_level = static_cast<int>(*level);
    }
  }
  if (given > 1) report.error(node.mark, where + ": only one of none, tar and zip can be given");
  return archive;
}

constexpr std::string_view kOpenLocation = "{{.ArtifactRepositoryType}}";

yaml::Node with_location(yaml::Node artifact) {
  for (auto& [key, value] : artifact.entries)
    if (key.text == kOpenLocation) key.text = "s3";
  return artifact;
}

}  // namespace

std::string item_name(const std::string& where, std::size_t index, const yaml::Node& item) {
  const yaml::Node* name = item.is_mapping() ? item.find("name") : nullptr;
  if (name != nullptr && name->is_scalar() && !name->text.empty()) return fmt::format("{}.{}", where, name->text);
  return fmt::format("{}[{}]", where, index);
}

Artifact read_artifact(const yaml::Node& written, const std::string& where, Report& report) {
  // Onepanel's stored form leaves open which kind of bucket it is; a key means the same in all.
  const bool open = written.is_mapping() && written.find(kOpenLocation) != nullptr;
  const yaml::Node node = open ? with_location(written) : written;
  Fields fields(report, node, kArtifact, where);
  Artifact artifact;
  artifact.mark = node.mark;
  artifact.name = fields.text("name").value_or(Scalar{"", node.mark});
  artifact.path = fields.text("path");
  artifact.from = fields.text("from");
  if (artifact.from && artifact.from->text.empty()) artifact.from.reset();
  artifact.expression = fields.text("fromExpression");
  if (artifact.expression && artifact.expression->text.empty()) artifact.expression.reset();
  artifact.sub_path = fields.text("subPath");
  if (artifact.sub_path && artifact.sub_path->text.empty()) artifact.sub_path.reset();
  artifact.global = fields.text("globalName");
  artifact.recurse_mode = fields.boolean("recurseMode", false);
  artifact.optional = fields.boolean("optional", false);
  artifact.mode = fields.mode("mode");
  artifact.exclude = fields.texts("exclude");
  if (const yaml::Node* archive = fields.mapping("archive"))
    artifact.archive = read_archive(*archive, where + ".archive", report);
  if (const yaml::Node* raw = fields.mapping("raw")) {
    Fields inner(report, *raw, kRaw, where + ".raw");
    artifact.raw = inner.text("data").value_or(Scalar{"", raw->mark});
  }
  if (const yaml::Node* collection = fields.mapping("artifactGC"))
    artifact.collection = Fields(report, *collection, kArtifactGc, where + ".artifactGC").text("strategy");
  artifact.place = read_place(fields);
  return artifact;
}

Exchange read_exchange(const yaml::Node* node, Side side, const std::string& where, Report& report) {
  Exchange exchange;
  if (node == nullptr) return exchange;
  Fields fields(report, *node, side == Side::outputs ? kOutputs : side == Side::inputs ? kInputs : kArguments, where);
  const std::vector<yaml::Node>& parameters = fields.list("parameters");
  for (std::size_t index = 0; index < parameters.size(); ++index)
    exchange.parameters.push_back(
        read_parameter(parameters[index], side, item_name(where + ".parameters", index, parameters[index]), report));
  const std::vector<yaml::Node>& artifacts = fields.list("artifacts");
  for (std::size_t index = 0; index < artifacts.size(); ++index)
    exchange.artifacts.push_back(
        read_artifact(artifacts[index], item_name(where + ".artifacts", index, artifacts[index]), report));
  return exchange;
}

}  // namespace kist::dialect::argo
