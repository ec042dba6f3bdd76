// Containers and volumes, as far as they matter on one machine.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/read.hpp"

namespace kist::dialect::argo {
namespace {

std::optional<Scalar> read_name(Fields& fields, std::string_view key, bool& optional) {
  const yaml::Node* node = fields.mapping(key);
  if (node == nullptr) return std::nullopt;
  Fields inner(fields.report(), *node, kName, fmt::format("{}.{}", fields.where(), key));
  optional = inner.boolean("optional", false);
  return inner.text("name");
}

std::optional<Scalar> read_field(Fields& fields) {
  const yaml::Node* node = fields.mapping("fieldRef");
  if (node == nullptr) return std::nullopt;
  return Fields(fields.report(), *node, kFieldRef, fields.where() + ".fieldRef").text("fieldPath");
}

std::optional<ResourceField> read_resource_field(Fields& fields) {
  const yaml::Node* node = fields.mapping("resourceFieldRef");
  if (node == nullptr) return std::nullopt;
  Fields inner(fields.report(), *node, kResourceField, fields.where() + ".resourceFieldRef");
  ResourceField field;
  field.mark = node->mark;
  field.resource = inner.text("resource").value_or(Scalar{"", node->mark});
  field.container = inner.text("containerName");
  if (field.container && field.container->text.empty()) field.container.reset();
  field.divisor = inner.text("divisor");
  return field;
}

// They bound nothing here: only a program that asks for them is told.
void read_resources(Fields& fields, Program& program) {
  const yaml::Node* node = fields.mapping("resources");
  if (node == nullptr || node->entries.empty()) return;
  fields.report().ignored(fields.find("resources")->mark, "resources");
  Fields inner(fields.report(), *node, kResources, fields.where() + ".resources");
  for (const std::string_view kind : {"limits", "requests"}) {
    const yaml::Node* amounts = inner.mapping(kind);
    if (amounts == nullptr) continue;
    for (const auto& [name, amount] : amounts->entries)
      if (amount.is_scalar())
        program.resources[fmt::format("{}.{}", kind, name.text)] = Scalar{amount.text, amount.mark};
  }
}

void read_environment(Fields& fields, Program& program) {
  const std::vector<yaml::Node>& variables = fields.list("env");
  for (std::size_t index = 0; index < variables.size(); ++index) {
    const std::string where = fmt::format("{}.env[{}]", fields.where(), index);
    Fields inner(fields.report(), variables[index], kEnvironment, where);
    const yaml::Mark mark = variables[index].mark;
    Variable variable;
    variable.name = inner.text("name").value_or(Scalar{"", mark});
    variable.value = inner.any_text("value").value_or(Scalar{"", mark});
    if (const yaml::Node* from = inner.mapping("valueFrom")) {
      Fields source(fields.report(), *from, kEnvironmentValue, where + ".valueFrom");
      variable.secret = read_selector(source, "secretKeyRef");
      variable.config = read_selector(source, "configMapKeyRef");
      variable.field = read_field(source);
      variable.resource = read_resource_field(source);
    }
    if (variable.name.text.empty() || variable.name.text.contains('='))
      fields.report().error(variable.name.mark,
                            fmt::format("{}.name must be the name of a variable, not '{}'", where, variable.name.text));
    else
      program.environment.push_back(std::move(variable));
  }
  const std::vector<yaml::Node>& sources = fields.list("envFrom");
  for (std::size_t index = 0; index < sources.size(); ++index) {
    Fields inner(fields.report(), sources[index], kEnvironmentFrom,
                 fmt::format("{}.envFrom[{}]", fields.where(), index));
    Variables all;
    if (auto prefix = inner.text("prefix")) all.prefix = prefix->text;
    all.secret = read_name(inner, "secretRef", all.optional);
    if (!all.secret) all.config = read_name(inner, "configMapRef", all.optional);
    program.environment_from.push_back(std::move(all));
  }
}

std::optional<ProbeSpec> read_probe(Fields& fields) {
  const yaml::Node* node = fields.mapping("readinessProbe");
  if (node == nullptr) return std::nullopt;
  Fields inner(fields.report(), *node, kProbe, fields.where() + ".readinessProbe");
  ProbeSpec probe;
  probe.delay = inner.integer("initialDelaySeconds").value_or(0);
  probe.period = std::max<std::int64_t>(1, inner.integer("periodSeconds").value_or(10));
  probe.failures = std::max<std::int64_t>(1, inner.integer("failureThreshold").value_or(3));
  if (const yaml::Node* exec = inner.mapping("exec"))
    probe.command = Fields(fields.report(), *exec, kExec, inner.where() + ".exec").texts("command");
  if (const yaml::Node* get = inner.mapping("httpGet")) {
    Fields request(fields.report(), *get, kHttpGet, inner.where() + ".httpGet");
    const Scalar path = request.text("path").value_or(Scalar{"/", get->mark});
    const Scalar port = request.any_text("port").value_or(Scalar{"80", get->mark});
    std::string scheme = request.text("scheme").value_or(Scalar{"HTTP", get->mark}).text;
    std::ranges::transform(scheme, scheme.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    const Scalar host = request.text("host").value_or(Scalar{"127.0.0.1", get->mark});
    probe.url = Scalar{
        fmt::format("{}://{}:{}{}{}", scheme, host.text, port.text, path.text.starts_with('/') ? "" : "/", path.text),
        get->mark};
  }
  if (const yaml::Node* socket = inner.mapping("tcpSocket"))
    probe.port = Fields(fields.report(), *socket, kSocket, inner.where() + ".tcpSocket").integer("port");
  if (probe.command.empty() && !probe.url && !probe.port) return std::nullopt;
  return probe;
}

std::vector<VolumeSpec::Item> read_items(Fields& fields) {
  std::vector<VolumeSpec::Item> items;
  const std::vector<yaml::Node>& nodes = fields.list("items");
  for (std::size_t index = 0; index < nodes.size(); ++index) {
    Fields inner(fields.report(), nodes[index], kVolumeItem, fmt::format("{}.items[{}]", fields.where(), index));
    VolumeSpec::Item item;
    item.key = inner.text("key").value_or(Scalar{"", nodes[index].mark});
    if (auto field = read_field(inner)) item.key = *field;
    item.resource = read_resource_field(inner);
    item.path = inner.text("path").value_or(item.key);
    item.mode = inner.mode("mode");
    items.push_back(std::move(item));
  }
  return items;
}

// The parts among `secret`, `configMap` and `downwardAPI` of a volume, or of one source of a projected one.
void read_parts(Fields& fields, VolumeSpec& volume) {
  using PartKind = VolumeSpec::Part::Kind;
  struct Form {
    std::string_view key;
    const Table* table;
    PartKind kind;
  };
  for (const Form& form :
       {Form{"secret", &kSecretVolume, PartKind::secret}, Form{"configMap", &kConfigVolume, PartKind::config},
        Form{"downwardAPI", &kDownward, PartKind::downward}}) {
    const yaml::Node* node = fields.mapping(form.key);
    if (node == nullptr) continue;
    Fields inner(fields.report(), *node, *form.table, fmt::format("{}.{}", fields.where(), form.key));
    VolumeSpec::Part part;
    part.kind = form.kind;
    part.name = Scalar{"", node->mark};
    if (form.kind == PartKind::secret)
      if (auto name = inner.text("secretName")) part.name = *name;
    if (part.name.text.empty() && form.kind != PartKind::downward)
      if (auto name = inner.text("name")) part.name = *name;
    if (form.kind != PartKind::downward) part.optional = inner.boolean("optional", false);
    part.items = read_items(inner);
    if (auto mode = inner.mode("defaultMode")) volume.mode = mode;
    volume.kind = VolumeSpec::Kind::parts;
    volume.parts.push_back(std::move(part));
  }
}

VolumeSpec read_volume(const yaml::Node& node, const std::string& where, Report& report) {
  Fields fields(report, node, kVolume, where);
  VolumeSpec volume;
  volume.mark = node.mark;
  volume.name = fields.text("name").value_or(Scalar{"", node.mark});
  if (const yaml::Node* claim = fields.mapping("persistentVolumeClaim")) {
    Fields inner(report, *claim, kClaimVolume, where + ".persistentVolumeClaim");
    volume.kind = VolumeSpec::Kind::claim;
    volume.claim = inner.text("claimName").value_or(Scalar{"", claim->mark});
    volume.read_only = inner.boolean("readOnly", false);
  }
  if (const yaml::Node* host = fields.mapping("hostPath")) {
    volume.kind = VolumeSpec::Kind::host;
    Fields inner(report, *host, kHostPath, where + ".hostPath");
    volume.path = inner.text("path").value_or(Scalar{"", host->mark});
    volume.host_type = inner.text("type");
  }
  if (const yaml::Node* projected = fields.mapping("projected")) {
    Fields inner(report, *projected, kProjected, where + ".projected");
    volume.kind = VolumeSpec::Kind::parts;
    const std::vector<yaml::Node>& sources = inner.list("sources");
    for (std::size_t index = 0; index < sources.size(); ++index) {
      Fields source(report, sources[index], kProjectedSource, fmt::format("{}.sources[{}]", inner.where(), index));
      read_parts(source, volume);
    }
    volume.mode = inner.mode("defaultMode");
  }
  read_parts(fields, volume);
  return volume;
}

}  // namespace

std::vector<Mount> read_mounts(Fields& fields) {
  std::vector<Mount> mounts;
  const std::vector<yaml::Node>& nodes = fields.list("volumeMounts");
  for (std::size_t index = 0; index < nodes.size(); ++index) {
    Fields inner(fields.report(), nodes[index], kMount, fmt::format("{}.volumeMounts[{}]", fields.where(), index));
    const yaml::Mark mark = nodes[index].mark;
    Mount mount;
    mount.volume = inner.text("name").value_or(Scalar{"", mark});
    mount.path = inner.text("mountPath").value_or(Scalar{"", mark});
    mount.sub_path = inner.text("subPath");
    if (!mount.sub_path) mount.sub_path = inner.text("subPathExpr");
    if (mount.sub_path && mount.sub_path->text.empty()) mount.sub_path.reset();
    mount.read_only = inner.boolean("readOnly", false);
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

Program read_program(const yaml::Node& node, const Table& table, const std::string& where, Report& report) {
  Fields fields(report, node, table, where);
  Program program;
  program.mark = node.mark;
  program.name = fields.text("name");
  program.image = fields.text("image");
  program.command = fields.texts("command");
  program.arguments = fields.texts("args");
  program.working_directory = fields.text("workingDir");
  if (program.working_directory && program.working_directory->text.empty()) program.working_directory.reset();
  program.mounts = read_mounts(fields);
  program.ready = read_probe(fields);
  if (auto policy = fields.text("restartPolicy")) program.stays = policy->text == "Always";
  if (const yaml::Node* security = fields.mapping("securityContext"))
    program.as_root = Fields(report, *security, kSecurity, where + ".securityContext").integer("runAsUser") == 0;
  program.terminal = fields.boolean("tty", false);
  // Nobody types: without a terminal a process finds the end of its input where in a cluster it would wait for ever.
  if (fields.boolean("stdin", false) && !program.terminal) report.ignored(fields.find("stdin")->mark, "stdin");
  read_environment(fields, program);
  read_resources(fields, program);
  if (&table == &kScript) program.source = fields.text("source").value_or(Scalar{"", node.mark});
  if (&table == &kSetContainer) program.dependencies = fields.texts("dependencies");
  if (&table == &kUserContainer) program.mirror_mounts = fields.boolean("mirrorVolumeMounts", false);
  return program;
}

std::vector<Program> read_programs(Fields& fields, std::string_view key, const Table& table) {
  std::vector<Program> programs;
  const std::vector<yaml::Node>& nodes = fields.list(key);
  const std::string where = fmt::format("{}.{}", fields.where(), key);
  for (std::size_t index = 0; index < nodes.size(); ++index)
    programs.push_back(read_program(nodes[index], table, item_name(where, index, nodes[index]), fields.report()));
  return programs;
}

std::vector<VolumeSpec> read_volumes(Fields& fields) {
  std::vector<VolumeSpec> volumes;
  const std::vector<yaml::Node>& nodes = fields.list("volumes");
  for (std::size_t index = 0; index < nodes.size(); ++index)
    volumes.push_back(
        read_volume(nodes[index], item_name(fields.where() + ".volumes", index, nodes[index]), fields.report()));
  return volumes;
}

std::vector<VolumeSpec> read_claims(Fields& fields) {
  std::vector<VolumeSpec> claims;
  for (const yaml::Node& node : fields.list("volumeClaimTemplates")) {
    VolumeSpec& claim = claims.emplace_back();
    claim.mark = node.mark;
    claim.kind = VolumeSpec::Kind::claim;
    claim.name = Scalar{std::string(text_at(node, {"metadata", "name"})), node.mark};
    if (claim.name.text.empty())
      fields.report().error(node.mark, fields.where() + ".volumeClaimTemplates: metadata.name is required");
  }
  return claims;
}

}  // namespace kist::dialect::argo
