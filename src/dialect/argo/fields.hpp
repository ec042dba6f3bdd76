// The reader of mappings. Every mapping of the Workflow spec has a table that names each key Argo knows and says what
// kist does with it; a key is read only through its table. So nothing is dropped silently: a key is taken, refused,
// ignored with a word, or unknown with its place, and a later version moves a key by changing one word of a table.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/yaml.hpp"
#include "dialect/argo/report.hpp"
#include "dialect/argo/spec.hpp"

namespace kist::dialect::argo {

enum class Use {
  taken,      // kist reads it
  silent,     // accepted; nothing to do and nothing to say (status, descriptions, forms)
  cluster,    // a matter of the cluster: ignored, said once
  postponed,  // running is right without it: a warning, said once
  refused,    // running would be wrong: an error
};

struct Field {
  std::string_view name;
  Use use = Use::taken;
  std::string_view note = {};  // of a postponed one: what happens instead; of a refused legacy one: today's name
};

struct Table {
  std::span<const Field> fields;
  bool open = false;  // unknown keys are only warned of: metadata, which Kubernetes extends
};

extern const Table kDocument;
extern const Table kOnepanelDocument;
extern const Table kMetadata;
extern const Table kSpec;
extern const Table kArguments;
extern const Table kInputs;
extern const Table kOutputs;
extern const Table kParameter;
extern const Table kOutputParameter;
extern const Table kValueFrom;
extern const Table kArtifact;
extern const Table kRaw;
extern const Table kArchive;
extern const Table kArchiveNone;
extern const Table kArchiveTar;
extern const Table kArchiveZip;
extern const Table kTemplate;
extern const Table kArchiveLocation;
extern const Table kContainer;
extern const Table kScript;
extern const Table kEnvironment;
extern const Table kStep;
extern const Table kDag;
extern const Table kTask;
extern const Table kContinueOn;
extern const Table kCronSpec;
extern const Table kStopStrategy;
extern const Table kTemplateRef;
extern const Table kHook;
extern const Table kWorkflowMetadata;
extern const Table kLabelFrom;
extern const Table kRepositoryRef;
extern const Table kArtifactGc;
extern const Table kExpiry;
extern const Table kVolumeClaimGc;
extern const Table kPodGc;
extern const Table kSynchronization;
extern const Table kMutex;
extern const Table kSemaphore;
extern const Table kKey;
extern const Table kRetry;
extern const Table kBackoff;
extern const Table kMemoize;
extern const Table kCache;
extern const Table kMetrics;
extern const Table kMetric;
extern const Table kGauge;
extern const Table kCounter;
extern const Table kHistogram;
extern const Table kVolume;
extern const Table kClaimVolume;
extern const Table kSecretVolume;
extern const Table kConfigVolume;
extern const Table kHostPath;
extern const Table kProjected;
extern const Table kProjectedSource;
extern const Table kDownward;
extern const Table kVolumeItem;
extern const Table kFieldRef;
extern const Table kResourceField;
extern const Table kResources;
extern const Table kMount;
extern const Table kEnvironmentFrom;
extern const Table kName;
extern const Table kProbe;
extern const Table kExec;
extern const Table kHttpGet;
extern const Table kSocket;
extern const Table kS3;
extern const Table kGit;
extern const Table kHttpLocation;
extern const Table kGcs;
extern const Table kAzure;
extern const Table kOss;
extern const Table kHdfs;
extern const Table kArtifactory;
extern const Table kFile;
extern const Table kContainerSet;
extern const Table kSuspend;
extern const Table kHttp;
extern const Table kHttpHeader;
extern const Table kHeaderValue;
extern const Table kBodyFrom;
extern const Table kData;
extern const Table kDataSource;
extern const Table kTransformation;
extern const Table kResource;
extern const Table kManifestFrom;
extern const Table kSetContainer;
extern const Table kUserContainer;
extern const Table kSecurity;
extern const Table kEnvironmentValue;
extern const Table kSequence;

// One mapping, read by its table. As in Go's decoding, a key whose value is null is absent. A value of the wrong type
// is reported and counts as absent. Refers to the node and the report; both must outlive it.
class Fields {
 public:
  // `where` is how messages call the mapping: "templates.main.container". Unknown, refused and ignored keys are
  // reported here.
  Fields(Report& report, const yaml::Node& node, const Table& table, std::string where);

  const std::string& where() const { return where_; }
  yaml::Mark mark() const { return node_.mark; }
  Report& report() { return report_; }

  // The value of a key that the table says is taken; nullptr: absent.
  const yaml::Node* find(std::string_view key) const;
  // Whether the file gives this key a value, whatever its use.
  bool gives(std::string_view key) const;

  // A text; numbers and booleans as they are written.
  std::optional<Scalar> text(std::string_view key);
  // Argo's "AnyString": numbers and booleans become the text that Go prints for them (3.10 is "3.1", yes is "true").
  std::optional<Scalar> any_text(std::string_view key);
  bool boolean(std::string_view key, bool absent);
  std::optional<std::int64_t> integer(std::string_view key);
  // A mode of a file: at most 0777.
  std::optional<std::uint32_t> mode(std::string_view key);
  // The items of a list, empty where absent.
  const std::vector<yaml::Node>& list(std::string_view key);
  std::vector<Scalar> texts(std::string_view key);
  std::vector<Scalar> any_texts(std::string_view key);
  // A mapping, nullptr where absent.
  const yaml::Node* mapping(std::string_view key);

 private:
  void wrong_type(std::string_view key, const yaml::Node& value, std::string_view expected);
  std::optional<Scalar> scalar(const yaml::Node& value, const std::string& where);

  Report& report_;
  const yaml::Node& node_;
  const Table& table_;
  std::string where_;
};

// "a list", "a mapping", "a text", "nothing": what a value is, for messages.
std::string_view kind_of(const yaml::Node& node);

// Argo's "AnyString" of a scalar.
std::string any_string(const yaml::Node& scalar);

}  // namespace kist::dialect::argo
