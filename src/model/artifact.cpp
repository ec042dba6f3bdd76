#include "model/artifact.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "model/fields.hpp"

namespace kist::model {
namespace {

struct ArchiveWord {
  Archive::Kind kind;
  std::string_view word;
};

constexpr auto kArchives = std::to_array<ArchiveWord>(
    {{Archive::Kind::none, "none"}, {Archive::Kind::tar, "tar"}, {Archive::Kind::zip, "zip"}});

struct CollectWord {
  Save::Collect collect;
  std::string_view word;
};

constexpr auto kCollects = std::to_array<CollectWord>({{Save::Collect::never, "never"},
                                                       {Save::Collect::at_completion, "at_completion"},
                                                       {Save::Collect::at_deletion, "at_deletion"}});

Json to_json(const Producer& producer) {
  Json value = Json::object();
  put(value, "run", producer.run);
  put(value, "node", producer.node);
  put(value, "artifact", producer.artifact);
  return value;
}

Result<Producer> producer_from_json(const Json& value) {
  Producer producer;
  KIST_TRY(get(value, "run", producer.run));
  KIST_TRY(get(value, "node", producer.node));
  KIST_TRY(get(value, "artifact", producer.artifact));
  return producer;
}

Result<Archive> archive_from_json(const Json& value) {
  Archive archive;
  std::string word;
  KIST_TRY(get(value, "kind", word));
  const auto* found = std::ranges::find(kArchives, word, &ArchiveWord::word);
  if (found == kArchives.end())
    return fail(ErrorKind::corrupt, fmt::format("run record: '{}' is not a kind of archive", word));
  archive.kind = found->kind;
  KIST_TRY(get(value, "compression_level", archive.compression_level));
  return archive;
}

Json to_json(const SentArtifact& sent) {
  Json value = {{"kind", sent.to.kind}, {"fields", Json::array()}};
  for (const LocationField& field : sent.to.fields) {
    Json one = {{"name", field.name}};
    if (const auto* text = std::get_if<Text>(&field.value)) {
      one["value"] = text->source();
    } else {
      const auto& secret = std::get<SecretReference>(field.value);
      one["secret"] = secret.name.source();
      one["key"] = secret.key.source();
      if (secret.optional) one["optional"] = true;
    }
    value["fields"].push_back(std::move(one));
  }
  if (sent.collect != Save::Collect::never)
    value["collect"] = std::ranges::find(kCollects, sent.collect, &CollectWord::collect)->word;
  if (sent.may_stay) value["may_stay"] = true;
  if (sent.deleted) value["deleted"] = true;
  return value;
}

Result<LocationField> field_from_json(const Json& value) {
  LocationField field;
  KIST_TRY(get(value, "name", field.name));
  std::string text;
  std::string secret;
  KIST_TRY(get(value, "value", text));
  KIST_TRY(get(value, "secret", secret));
  if (secret.empty()) {
    field.value = Text::literal(std::move(text));
    return field;
  }
  std::string key;
  SecretReference reference;
  KIST_TRY(get(value, "key", key));
  KIST_TRY(get(value, "optional", reference.optional));
  reference.name = Text::literal(std::move(secret));
  reference.key = Text::literal(std::move(key));
  field.value = std::move(reference);
  return field;
}

Result<SentArtifact> sent_from_json(const Json& value) {
  SentArtifact sent;
  KIST_TRY(get(value, "kind", sent.to.kind));
  KIST_TRY(get_all(value, "fields", sent.to.fields, field_from_json));
  std::string collect;
  KIST_TRY(get(value, "collect", collect));
  const auto* found = std::ranges::find(kCollects, collect.empty() ? "never" : collect, &CollectWord::word);
  if (found == kCollects.end()) return fail(ErrorKind::invalid, fmt::format("'{}' is no time to collect", collect));
  sent.collect = found->collect;
  KIST_TRY(get(value, "may_stay", sent.may_stay));
  KIST_TRY(get(value, "deleted", sent.deleted));
  return sent;
}

}  // namespace

Json to_json(const ArtifactRecord& artifact) {
  Json value = {{"name", artifact.name}};
  put(value, "path", artifact.path);
  value["tree"] = artifact.tree.to_string();
  value["times"] = artifact.times.to_string();
  value["bytes"] = artifact.bytes;
  value["files"] = artifact.files;
  if (artifact.archive.kind != Archive::Kind::none) {
    Json& archive = value["archive"];
    archive["kind"] = std::ranges::find(kArchives, artifact.archive.kind, &ArchiveWord::kind)->word;
    if (artifact.archive.compression_level) archive["compression_level"] = *artifact.archive.compression_level;
  }
  if (artifact.live) value["live"] = true;
  if (artifact.producer) value["producer"] = to_json(*artifact.producer);
  if (!artifact.left_out.empty()) value["left_out"] = artifact.left_out;
  put(value, "global", artifact.global);
  put(value, "sub_path", artifact.sub_path);
  for (const SentArtifact& sent : artifact.sent) value["sent"].push_back(to_json(sent));
  return value;
}

Result<ArtifactRecord> artifact_from_json(const Json& value) {
  ArtifactRecord artifact;
  KIST_TRY(get(value, "name", artifact.name));
  KIST_TRY(get(value, "path", artifact.path));
  KIST_TRY(get(value, "tree", artifact.tree));
  KIST_TRY(get(value, "times", artifact.times));
  KIST_TRY(get(value, "bytes", artifact.bytes));
  KIST_TRY(get(value, "files", artifact.files));
  KIST_TRY(get(value, "live", artifact.live));
  KIST_TRY(get(value, "global", artifact.global));
  KIST_TRY(get(value, "sub_path", artifact.sub_path));
  KIST_TRY(get_all(value, "left_out", artifact.left_out, text_from_json));
  KIST_TRY(get_all(value, "sent", artifact.sent, sent_from_json));
  KIST_TRY_ASSIGN(const Json* archive, member(value, "archive"));
  if (archive != nullptr) {
    KIST_TRY_ASSIGN(artifact.archive, archive_from_json(*archive));
  }
  KIST_TRY_ASSIGN(const Json* producer, member(value, "producer"));
  if (producer != nullptr) {
    KIST_TRY_ASSIGN(artifact.producer, producer_from_json(*producer));
  }
  return artifact;
}

}  // namespace kist::model
