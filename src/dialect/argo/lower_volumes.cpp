#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "dialect/argo/lower.hpp"
#include "dialect/argo/resources.hpp"
#include "dialect/argo/texts.hpp"

namespace kist::dialect::argo {
namespace {

using model::Volume;

void add_part(const Template& definition, const VolumeSpec::Part& part, const Values& names, Volume& volume) {
  using Kind = VolumeSpec::Part::Kind;
  auto mode_of = [&](std::string_view path) -> std::optional<std::uint32_t> {
    auto item = std::ranges::find_if(part.items, [&](const auto& each) { return each.path.text == path; });
    return item == part.items.end() ? std::nullopt : item->mode;
  };
  switch (part.kind) {
    case Kind::secret: {
      const auto key = [&](const std::string& of) {
        return model::SecretReference{make_text(fill_names(part.name.text, names)), model::Text::literal(of),
                                      part.optional};
      };
      if (part.items.empty()) volume.files.push_back({.path = "", .text = {}, .secret = key("")});
      for (const VolumeSpec::Item& item : part.items)
        volume.files.push_back({.path = item.path.text, .text = {}, .secret = key(item.key.text), .mode = item.mode});
      break;
    }
    case Kind::config:
      for (const auto& [path, text] : part.texts)
        volume.files.push_back(
            {.path = path, .text = expression::Text::literal(text), .secret = {}, .mode = mode_of(path)});
      break;
    case Kind::downward:
      for (const VolumeSpec::Item& item : part.items) {
        Volume::File& file = volume.files.emplace_back();
        file.path = item.path.text;
        file.mode = item.mode;
        if (item.resource) {
          const Amount amount = amount_of(definition, definition.program, *item.resource).value_or(Amount());
          file.text = make_text(fill_names(amount.written, names));
          file.in_units = amount.in_units;
        } else {
          file.text = make_text(field_text(item.key.text));
        }
      }
      break;
  }
}

Volume lower_volume(const Template& definition, const VolumeSpec& written, const Values& names) {
  Volume volume;
  volume.name = written.name.text;
  volume.late_name = late_text(written.name.text);
  volume.mode = written.mode;
  switch (written.kind) {
    case VolumeSpec::Kind::empty:
      break;
    case VolumeSpec::Kind::claim:
      volume.kind = Volume::Kind::claim;
      volume.claim = make_text(fill_names(written.claim.text, names));
      break;
    case VolumeSpec::Kind::host:
      volume.kind = Volume::Kind::host;
      volume.path = make_text(fill_names(written.path.text, names));
      if (written.host_type) volume.host = host_kind(written.host_type->text).value_or(Volume::Host::anything);
      break;
    case VolumeSpec::Kind::parts:
      volume.kind = Volume::Kind::files;
      for (const VolumeSpec::Part& part : written.parts) add_part(definition, part, names, volume);
      break;
  }
  return volume;
}

}  // namespace

std::optional<Volume::Host> host_kind(std::string_view type) {
  using Host = Volume::Host;
  if (type.empty()) return Host::anything;
  if (type == "Directory") return Host::directory;
  if (type == "DirectoryOrCreate") return Host::directory_or_new;
  if (type == "File") return Host::file;
  if (type == "FileOrCreate") return Host::file_or_new;
  if (type == "Socket") return Host::socket;
  if (type == "CharDevice") return Host::character_device;
  if (type == "BlockDevice") return Host::block_device;
  return std::nullopt;
}

std::vector<Volume> lower_volumes(const Spec& spec, const Template& definition, const std::set<std::string>& used,
                                  const Values& names) {
  std::vector<Volume> volumes;
  std::set<std::string> there;
  // Which volume a name with {{…}} means is known when the task runs.
  const bool all = std::ranges::any_of(used, [](const std::string& name) { return name.contains("{{"); });
  const auto is_used = [&](const std::string& name) {
    return (all || is_late(name) || used.contains(name)) && there.insert(name).second;
  };
  for (const auto* list : {&definition.volumes, &spec.volumes})
    for (const VolumeSpec& volume : *list)
      if (is_used(volume.name.text)) volumes.push_back(lower_volume(definition, volume, names));
  for (const VolumeSpec& claim : spec.claims) {
    if (!is_used(claim.name.text)) continue;
    Volume& volume = volumes.emplace_back();
    volume.name = claim.name.text;
    volume.kind = Volume::Kind::run;
  }
  return volumes;
}

}  // namespace kist::dialect::argo
