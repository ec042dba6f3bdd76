// An artifact as records name it: what it is called, its tree in the store, which node made it, and where else it was
// sent. Plain data; docs/run-record.md describes its JSON.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/json.hpp"
#include "model/workflow.hpp"

namespace kist::model {

// Which output of which node an artifact is.
struct Producer {
  std::string run;   // empty: this run
  std::string node;  // names.name
  std::string artifact;
};

// Where an artifact was sent beside being kept.
struct SentArtifact {
  Location to;  // texts literal; secrets by name
  Save::Collect collect = Save::Collect::never;
  bool may_stay = false;  // its run can be removed though this could not be deleted
  bool deleted = false;   // it was deleted there, or another took its place
};

// An artifact of a node, in the store.
struct ArtifactRecord {
  std::string name;
  std::string path;  // where the task had it
  Digest tree;
  Digest times;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
  Archive archive;
  bool live = false;                       // saved while it was written, or published by the task
  std::optional<Producer> producer = {};   // of an input, and of what a group hands on
  std::vector<std::string> left_out = {};  // what could not be kept: "PATH: WHY"
  std::string global = {};                 // of an output: workflow.outputs.artifacts.NAME is this one too
  std::vector<SentArtifact> sent = {};     // of an output
  std::string sub_path = {};               // of an input: only what lies there in the tree
};

Json to_json(const ArtifactRecord& artifact);
Result<ArtifactRecord> artifact_from_json(const Json& value);

}  // namespace kist::model
