// The keys of the Workflow spec as Argo 2.12 to 4.1 and Onepanel 1.0 know them, and what kist does with each. Facts:
// the JSON schema of Argo 4.1, and the older spellings that Hera's releases and Onepanel still write.
#include "dialect/argo/fields.hpp"

namespace kist::dialect::argo {
namespace {

using enum Use;

constexpr Field kDocumentFields[] = {{"apiVersion"}, {"kind"}, {"metadata"}, {"spec"}, {"status", silent}};
constexpr Field kOnepanelDocumentFields[] = {{"metadata", silent}, {"spec"}};

constexpr Field kMetadataFields[] = {
    {"name"},
    {"generateName"},
    {"namespace"},
    {"labels"},
    {"annotations"},
    {"uid", silent},
    {"creationTimestamp", silent},
    {"resourceVersion", silent},
    {"generation", silent},
    {"managedFields", silent},
    {"ownerReferences", silent},
    {"finalizers", silent},
    {"selfLink", silent},
    {"clusterName", silent},
    {"deletionTimestamp", silent},
    {"deletionGracePeriodSeconds", silent},
};

constexpr Field kSpecFields[] = {
    {"entrypoint"},
    {"arguments"},
    {"templates"},

    {"workflowTemplateRef", refused},
    {"templateDefaults", refused},
    {"onExit", refused},
    {"hooks", refused},
    {"volumes", refused},
    {"volumeClaimTemplates", refused},
    {"activeDeadlineSeconds", refused},
    {"suspend", refused},
    {"shutdown", refused},
    {"retryStrategy", refused},
    {"synchronization", refused},
    {"mutex", refused, "today synchronization.mutexes"},
    {"semaphore", refused, "today synchronization.semaphores"},

    {"artifactRepositoryRef", postponed, "artifacts are kept in kist's own store"},
    {"archiveLogs", postponed, "logs are kept with the run"},
    {"artifactGC", postponed, "artifacts are kept until their run is removed"},
    {"parallelism", postponed, "steps run as the machine allows"},
    {"workflowMetadata", postponed, "the run gets no labels"},
    {"metrics", postponed, "none are published"},

    {"serviceAccountName", cluster},
    {"automountServiceAccountToken", cluster},
    {"priority", cluster},
    {"podPriority", cluster},
    {"podPriorityClassName", cluster},
    {"podGC", cluster},
    {"podMetadata", cluster},
    {"podSpecPatch", cluster},
    {"podDisruptionBudget", cluster},
    {"podResources", cluster},
    {"resourceClaims", cluster},
    {"ttlStrategy", cluster},
    {"ttlSecondsAfterFinished", cluster},
    {"volumeClaimGC", cluster},
    {"executor", cluster},
    {"executorPlugins", cluster},
    {"nodeSelector", cluster},
    {"affinity", cluster},
    {"tolerations", cluster},
    {"schedulerName", cluster},
    {"securityContext", cluster},
    {"imagePullSecrets", cluster},
    {"hostAliases", cluster},
    {"hostNetwork", cluster},
    {"dnsPolicy", cluster},
    {"dnsConfig", cluster},
};

constexpr Field kExchangeFields[] = {{"parameters"}, {"artifacts"}};
constexpr Field kOutputsFields[] = {{"parameters"}, {"artifacts"}, {"result", silent}, {"exitCode", silent}};

constexpr Field kParameterFields[] = {
    {"name"},
    {"value"},
    {"default"},
    {"enum"},
    {"valueFrom"},
    {"description", silent},
    {"globalName", silent},
    // Onepanel's form.
    {"type", silent},
    {"displayName", silent},
    {"hint", silent},
    {"required", silent},
    {"options", silent},
    {"visibility", silent},
};
constexpr Field kOutputParameterFields[] = {
    {"name"},
    {"value"},
    {"valueFrom"},
    {"default", silent},
    {"enum", silent},
    {"description", silent},
    {"globalName", postponed, "the output is known to its own group only"},
};
constexpr Field kValueFromFields[] = {
    {"path"},
    {"parameter"},
    {"default"},
    {"expression", refused},
    {"configMapKeyRef", refused},
    {"supplied", refused},
    {"event", refused},
    {"jsonPath", refused},
    {"jqFilter", refused},
};

constexpr Field kArtifactFields[] = {
    {"name"},
    {"path"},
    {"from"},
    {"raw"},
    {"mode"},
    {"recurseMode"},
    {"optional"},
    {"archive"},
    {"deleted", silent},
    {"fromExpression", refused},
    {"subPath", refused},
    {"s3", refused},
    {"git", refused},
    {"http", refused},
    {"gcs", refused},
    {"azure", refused},
    {"oss", refused},
    {"hdfs", refused},
    {"artifactory", refused},
    {"plugin", refused},
    {"globalName", postponed, "the output is known to its own group only"},
    {"artifactGC", postponed, "artifacts are kept until their run is removed"},
    {"archiveLogs", postponed, "logs are kept with the run"},
};
constexpr Field kRawFields[] = {{"data"}};
constexpr Field kArchiveFields[] = {{"none"}, {"tar"}, {"zip"}};
constexpr Field kArchiveTarFields[] = {{"compressionLevel"}};
constexpr Field kArchiveLocationFields[] = {
    {"archiveLogs", postponed, "logs are kept with the run"},
    {"s3", refused},
    {"git", refused},
    {"http", refused},
    {"raw", refused},
    {"gcs", refused},
    {"azure", refused},
    {"oss", refused},
    {"hdfs", refused},
    {"artifactory", refused},
    {"plugin", refused},
};

constexpr Field kTemplateFields[] = {
    {"name"},
    {"inputs"},
    {"outputs"},
    {"container"},
    {"script"},
    {"steps"},
    {"dag"},
    {"archiveLocation"},

    {"containerSet", refused},
    {"data", refused},
    {"http", refused},
    {"plugin", refused},
    {"resource", refused},
    {"suspend", refused},
    {"initContainers", refused},
    {"sidecars", refused},
    {"volumes", refused},
    {"daemon", refused},
    {"activeDeadlineSeconds", refused},
    {"timeout", refused},
    {"retryStrategy", refused},
    {"synchronization", refused},
    {"mutex", refused, "today synchronization.mutexes"},
    {"semaphore", refused, "today synchronization.semaphores"},
    {"memoize", refused},
    {"template", refused, "today a step of `steps` or `dag`"},
    {"templateRef", refused, "today a step of `steps` or `dag`"},
    {"arguments", refused, "today a step of `steps` or `dag`"},

    {"failFast", postponed, "the steps of one stage run to their end"},
    {"parallelism", postponed, "steps run as the machine allows"},
    {"annotations", postponed, "the step keeps its own name"},
    {"metrics", postponed, "none are published"},

    {"metadata", cluster},
    {"pendingTimeout", cluster},
    {"nodeSelector", cluster},
    {"affinity", cluster},
    {"tolerations", cluster},
    {"serviceAccountName", cluster},
    {"automountServiceAccountToken", cluster},
    {"executor", cluster},
    {"hostAliases", cluster},
    {"imagePullSecrets", cluster},
    {"priority", cluster},
    {"priorityClassName", cluster},
    {"podSpecPatch", cluster},
    {"podResources", cluster},
    {"resourceClaims", cluster},
    {"resubmitPendingPods", cluster},
    {"schedulerName", cluster},
    {"securityContext", cluster},
};

#define KIST_ARGO_CONTAINER_FIELDS                                                                            \
  {"image"}, {"command"}, {"args"}, {"env"}, {"workingDir"}, {"name", silent}, {"volumeMounts", refused},     \
      {"volumeDevices", refused}, {"envFrom", refused}, {"lifecycle", refused}, {"imagePullPolicy", cluster}, \
      {"resources", cluster}, {"securityContext", cluster}, {"ports", cluster}, {"livenessProbe", cluster},   \
      {"readinessProbe", cluster}, {"startupProbe", cluster}, {"stdin", cluster}, {"stdinOnce", cluster},     \
      {"tty", cluster}, {"terminationMessagePath", cluster}, {"terminationMessagePolicy", cluster},           \
      {"restartPolicy", cluster}, {"restartPolicyRules", cluster}, {                                          \
    "resizePolicy", cluster                                                                                   \
  }
constexpr Field kContainerFields[] = {KIST_ARGO_CONTAINER_FIELDS};
constexpr Field kScriptFields[] = {{"source"}, KIST_ARGO_CONTAINER_FIELDS};
#undef KIST_ARGO_CONTAINER_FIELDS
constexpr Field kEnvironmentFields[] = {{"name"}, {"value"}, {"valueFrom", refused}};

#define KIST_ARGO_STEP_FIELDS                                                                                     \
  {"name"}, {"template"}, {"arguments"}, {"when"}, {"continueOn"}, {"templateRef", refused}, {"inline", refused}, \
      {"withItems", refused}, {"withParam", refused}, {"withSequence", refused}, {"onExit", refused}, {           \
    "hooks", refused                                                                                              \
  }
constexpr Field kStepFields[] = {KIST_ARGO_STEP_FIELDS};
constexpr Field kTaskFields[] = {KIST_ARGO_STEP_FIELDS, {"dependencies"}, {"depends"}};
#undef KIST_ARGO_STEP_FIELDS
constexpr Field kDagFields[] = {{"target"}, {"tasks"}, {"failFast"}};
constexpr Field kContinueOnFields[] = {{"error"}, {"failed"}};

}  // namespace

constinit const Table kDocument{kDocumentFields};
constinit const Table kOnepanelDocument{kOnepanelDocumentFields};
constinit const Table kMetadata{kMetadataFields, true};
constinit const Table kSpec{kSpecFields};
constinit const Table kArguments{kExchangeFields};
constinit const Table kInputs{kExchangeFields};
constinit const Table kOutputs{kOutputsFields};
constinit const Table kParameter{kParameterFields};
constinit const Table kOutputParameter{kOutputParameterFields};
constinit const Table kValueFrom{kValueFromFields};
constinit const Table kArtifact{kArtifactFields};
constinit const Table kRaw{kRawFields};
constinit const Table kArchive{kArchiveFields};
constinit const Table kArchiveNone{{}};
constinit const Table kArchiveTar{kArchiveTarFields};
constinit const Table kArchiveZip{{}};
constinit const Table kTemplate{kTemplateFields};
constinit const Table kArchiveLocation{kArchiveLocationFields};
constinit const Table kContainer{kContainerFields};
constinit const Table kScript{kScriptFields};
constinit const Table kEnvironment{kEnvironmentFields};
constinit const Table kStep{kStepFields};
constinit const Table kDag{kDagFields};
constinit const Table kTask{kTaskFields};
constinit const Table kContinueOn{kContinueOnFields};

}  // namespace kist::dialect::argo
