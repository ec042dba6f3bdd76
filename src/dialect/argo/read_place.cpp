// Locations: each kind has one table of keys, dotted where they nest, and one loop reads them all. What ends in
// "Secret" names a key of a secret; its value is never in the model.
#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/read.hpp"

namespace kist::dialect::argo {
namespace {

struct Kind {
  std::string_view key;
  const Table* table;
  std::string_view format;  // where its repository says how keys are made
};
const auto kKinds = std::to_array<Kind>({
    {"s3", &kS3, "keyFormat"},
    {"git", &kGit, ""},
    {"http", &kHttpLocation, ""},
    {"gcs", &kGcs, "keyFormat"},
    {"azure", &kAzure, "blobNameFormat"},
    {"oss", &kOss, "keyFormat"},
    {"hdfs", &kHdfs, "pathFormat"},
    {"artifactory", &kArtifactory, "keyFormat"},
    {"file", &kFile, "keyFormat"},
});

bool is_secret(std::string_view name) {
  return name.ends_with("Secret");
}

class Reader {
 public:
  Reader(const Table& table, Report& report, std::string where)
      : table_(table), report_(report), where_(std::move(where)) {}

  void read(const yaml::Node& node, const std::string& prefix, Place& place) {
    if (!node.is_mapping()) {
      report_.error(node.mark,
                    fmt::format("{}{} must be a mapping, not {}", where_,
                                prefix.empty() ? "" : "." + prefix.substr(0, prefix.size() - 1), kind_of(node)));
      return;
    }
    for (const auto& [key, value] : node.entries) {
      const std::string name = prefix + key.text;
      if (!is_known(name)) {
        report_.error(key.mark, fmt::format("{}: unknown key '{}'", where_, name));
        continue;
      }
      if (value.is_sequence()) {
        for (const yaml::Node& item : value.items) read_value(name, item, place);
      } else {
        read_value(name, value, place);
      }
    }
  }

 private:
  bool is_known(std::string_view name) const {
    return std::ranges::any_of(table_.fields, [&](const Field& field) {
      return field.name == name || (field.name.starts_with(name) && field.name[name.size()] == '.');
    });
  }

  void read_value(const std::string& name, const yaml::Node& value, Place& place) {
    if (value.is_null()) return;
    if (value.is_mapping() && (is_secret(name) || name.ends_with("ConfigMap"))) {
      Fields fields(report_, value, kKey, fmt::format("{}.{}", where_, name));
      KeySelector selector{fields.text("name").value_or(Scalar{"", value.mark}),
                           fields.text("key").value_or(Scalar{"", value.mark}), fields.boolean("optional", false)};
      if (selector.name.text.empty() && selector.key.text.empty()) return;
      place.fields.push_back({name, std::move(selector)});
    } else if (value.is_mapping()) {
      // That it is there may be all it says: `createBucketIfNotPresent: {}`.
      if (value.entries.empty()) place.fields.push_back({name, Scalar{"true", value.mark}});
      read(value, name + ".", place);
    } else if (value.is_scalar()) {
      const auto boolean = value.quoted ? std::nullopt : yaml::as_boolean(value, true);
      place.fields.push_back({name, Scalar{boolean ? (*boolean ? "true" : "false") : value.text, value.mark}});
    } else {
      report_.error(value.mark, fmt::format("{}.{} must be a text, not {}", where_, name, kind_of(value)));
    }
  }

  const Table& table_;
  Report& report_;
  std::string where_;
};

// What can be said of it before it is asked for anything.
void check_hdfs(const Place& place, const std::string& where, Report& report) {
  const auto kerberos = std::ranges::find_if(place.fields, [](const Place::Field& field) {
    return field.name == "krbCCacheSecret" || field.name == "krbKeytabSecret";
  });
  if (kerberos != place.fields.end())
    report.unsupported(place.mark, fmt::format("Kerberos, '{}'", kerberos->name), where);
  else if (place.text("addresses") != nullptr && place.text("hdfsUser") == nullptr)
    report.error(place.mark, fmt::format("{}: hdfsUser is required", where));
}

}  // namespace

const Scalar* Place::text(std::string_view name) const {
  for (const Field& field : fields)
    if (field.name == name)
      if (const auto* scalar = std::get_if<Scalar>(&field.value)) return scalar;
  return nullptr;
}

std::optional<Place> read_place(Fields& fields) {
  std::optional<Place> place;
  for (const Kind& kind : kKinds) {
    const yaml::Node* node = fields.mapping(kind.key);
    if (node == nullptr) continue;
    if (place) {
      fields.report().error(node->mark, fmt::format("{}: only one location can be given, not {} and {}", fields.where(),
                                                    place->kind, kind.key));
      break;
    }
    place = Place{.kind = std::string(kind.key), .fields = {}, .mark = node->mark};
    const std::string where = fmt::format("{}.{}", fields.where(), kind.key);
    Reader(*kind.table, fields.report(), where).read(*node, "", *place);
    if (kind.key == "hdfs") check_hdfs(*place, where, fields.report());
  }
  return place;
}

Repository read_repository(const yaml::Node& node, const std::string& where, Report& report) {
  Repository repository;
  Fields fields(report, node, kArchiveLocation, where);
  if (fields.find("archiveLogs") != nullptr) repository.archive_logs = fields.boolean("archiveLogs", false);
  repository.place = read_place(fields);
  if (!repository.place) return repository;
  const auto kind = std::ranges::find(kKinds, std::string_view(repository.place->kind), &Kind::key);
  if (const Scalar* format = repository.place->text(kind->format)) repository.key_format = format->text;
  if (const Scalar* prefix = repository.place->text("keyPrefix"); prefix != nullptr && repository.key_format.empty())
    repository.key_format = prefix->text + "/{{workflow.name}}/{{pod.name}}";
  std::erase_if(repository.place->fields,
                [&](const Place::Field& field) { return field.name == kind->format || field.name == "keyPrefix"; });
  return repository;
}

}  // namespace kist::dialect::argo
