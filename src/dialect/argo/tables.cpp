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
    {"workflowTemplateRef"},
    {"templateDefaults"},
    {"onExit"},
    {"hooks"},
    {"volumes"},
    {"volumeClaimTemplates"},
    {"activeDeadlineSeconds"},
    {"suspend"},
    {"shutdown", silent},
    {"retryStrategy"},
    {"synchronization"},
    {"mutex"},
    {"semaphore"},
    {"artifactRepositoryRef"},
    {"archiveLogs"},
    {"artifactGC"},
    {"parallelism"},
    {"workflowMetadata"},
    {"podSpecPatch"},
    {"podGC"},
    {"podResources"},
    {"metrics"},
    {"serviceAccountName"},
    {"priority"},

    {"ttlStrategy"},
    {"ttlSecondsAfterFinished"},
    {"volumeClaimGC"},

    {"automountServiceAccountToken", cluster},
    {"podPriority", cluster},
    {"podPriorityClassName", cluster},
    {"podMetadata", cluster},
    {"podDisruptionBudget", cluster},
    {"resourceClaims", cluster},
    {"executor", cluster},
    {"executorPlugins", cluster},
    {"nodeSelector", cluster},
    {"affinity", cluster},
    {"tolerations", cluster},
    {"schedulerName", cluster},
    {"securityContext"},
    {"imagePullSecrets", cluster},
    {"hostAliases", cluster},
    {"hostNetwork", cluster},
    {"dnsPolicy", cluster},
    {"dnsConfig", cluster},
};
constexpr Field kCronSpecFields[] = {
    {"schedules"},
    {"schedule"},
    {"timezone"},
    {"workflowSpec"},
    {"workflowMetadata"},
    {"suspend", silent},
    {"when"},
    {"concurrencyPolicy"},
    {"startingDeadlineSeconds", cluster},
    {"successfulJobsHistoryLimit"},
    {"failedJobsHistoryLimit"},
    {"stopStrategy"},
};
constexpr Field kStopStrategyFields[] = {{"expression"}};
constexpr Field kTemplateRefFields[] = {{"name"}, {"template"}, {"clusterScope"}, {"runtimeResolution", silent}};
constexpr Field kHookFields[] = {{"template"}, {"templateRef"}, {"arguments"}, {"expression"}, {"inline", refused}};
constexpr Field kWorkflowMetadataFields[] = {{"labels"}, {"annotations"}, {"labelsFrom"}};
constexpr Field kLabelFromFields[] = {{"expression"}};
constexpr Field kRepositoryRefFields[] = {{"configMap"}, {"key"}};
constexpr Field kArtifactGcFields[] = {{"strategy"},
                                       {"podMetadata", silent},
                                       {"serviceAccountName", silent},
                                       {"podSpecPatch", silent},
                                       {"forceFinalizerRemoval", silent}};
constexpr Field kExpiryFields[] = {{"secondsAfterCompletion"}, {"secondsAfterSuccess"}, {"secondsAfterFailure"}};
constexpr Field kVolumeClaimGcFields[] = {{"strategy"}};
constexpr Field kPodGcFields[] = {{"strategy"}, {"labelSelector"}, {"deleteDelayDuration", silent}};
constexpr Field kSynchronizationFields[] = {{"mutex"}, {"mutexes"}, {"semaphore"}, {"semaphores"}};
constexpr Field kMutexFields[] = {{"name"}, {"namespace"}, {"database", postponed, "locks are kept in this home"}};
constexpr Field kSemaphoreFields[] = {{"configMapKeyRef"}, {"namespace"}, {"database"}};
constexpr Field kKeyFields[] = {{"name"}, {"key"}, {"optional"}};
constexpr Field kRetryFields[] = {{"limit"},    {"retryPolicy"}, {"backoff"}, {"expression"}, {"affinity", cluster},
                                  {"duration"}, {"retries"}};
constexpr Field kBackoffFields[] = {{"duration"}, {"factor"}, {"maxDuration"}, {"cap"}};
constexpr Field kMemoizeFields[] = {{"key"}, {"maxAge"}, {"cache"}};
constexpr Field kCacheFields[] = {{"configMap"}};
constexpr Field kMetricsFields[] = {{"prometheus"}};
constexpr Field kMetricFields[] = {{"name"}, {"help"}, {"labels"}, {"when"}, {"gauge"}, {"counter"}, {"histogram"}};
constexpr Field kGaugeFields[] = {{"value"}, {"realtime"}, {"operation"}};
constexpr Field kCounterFields[] = {{"value"}};
constexpr Field kHistogramFields[] = {{"value"}, {"buckets"}};

constexpr Field kExchangeFields[] = {{"parameters"}, {"artifacts"}};
constexpr Field kOutputsFields[] = {{"parameters"}, {"artifacts"}, {"result", silent}, {"exitCode", silent}};

constexpr Field kParameterFields[] = {
    {"name"},
    {"value"},
    {"default"},
    {"enum"},
    {"valueFrom"},
    {"description", silent},
    {"globalName"},
    // Onepanel's form.
    {"type", silent},
    {"displayName", silent},
    {"hint", silent},
    {"required", silent},
    {"options", silent},
    {"visibility", silent},
};
constexpr Field kOutputParameterFields[] = {
    {"name"}, {"value"}, {"valueFrom"}, {"default", silent}, {"enum", silent}, {"description", silent}, {"globalName"},
};
constexpr Field kValueFromFields[] = {
    {"path"},     {"parameter"}, {"default"},  {"expression"}, {"configMapKeyRef"},
    {"supplied"}, {"event"},     {"jsonPath"}, {"jqFilter"},
};

#define KIST_ARGO_LOCATIONS                                                                               \
  {"s3"}, {"git"}, {"http"}, {"raw"}, {"gcs"}, {"azure"}, {"oss"}, {"hdfs"}, {"artifactory"}, {"file"}, { \
    "plugin", refused                                                                                     \
  }
constexpr Field kArtifactFields[] = {
    KIST_ARGO_LOCATIONS,
    {"name"},
    {"path"},
    {"from"},
    {"fromExpression"},
    {"subPath"},
    {"mode"},
    {"recurseMode"},
    {"optional"},
    {"archive"},
    {"globalName"},
    {"artifactGC"},
    {"exclude"},
    {"archiveLogs", silent},
    {"deleted", silent},
};
constexpr Field kRawFields[] = {{"data"}};
constexpr Field kArchiveFields[] = {{"none"}, {"tar"}, {"zip"}};
constexpr Field kArchiveTarFields[] = {{"compressionLevel"}};
constexpr Field kArchiveLocationFields[] = {KIST_ARGO_LOCATIONS, {"archiveLogs"}, {"name", silent}};
#undef KIST_ARGO_LOCATIONS

// The keys of locations; dotted where they nest.
constexpr Field kS3Fields[] = {
    {"endpoint"},
    {"bucket"},
    {"region"},
    {"insecure"},
    {"key"},
    {"keyFormat"},
    {"keyPrefix"},
    {"accessKeySecret"},
    {"secretKeySecret"},
    {"sessionTokenSecret"},
    {"caSecret"},
    {"roleARN"},
    {"useSDKCreds"},
    {"addressingStyle"},
    {"createBucketIfNotPresent"},
    {"createBucketIfNotPresent.objectLocking"},
    {"encryptionOptions.enableEncryption"},
    {"encryptionOptions.kmsKeyId"},
    {"encryptionOptions.kmsEncryptionContext"},
    {"encryptionOptions.serverSideCustomerKeySecret"},
};
constexpr Field kGitFields[] = {
    {"repo"},
    {"revision"},
    {"depth"},
    {"fetch"},
    {"branch"},
    {"singleBranch"},
    {"usernameSecret"},
    {"passwordSecret"},
    {"sshPrivateKeySecret"},
    {"insecureSkipTLS"},
    {"disableSubmodules"},
    {"insecureIgnoreHostKey"},
};
constexpr Field kHttpLocationFields[] = {
    {"url"},
    {"headers"},
    {"headers.name"},
    {"headers.value"},
    {"auth.basicAuth.usernameSecret"},
    {"auth.basicAuth.passwordSecret"},
    {"auth.oauth2.clientIDSecret"},
    {"auth.oauth2.clientSecretSecret"},
    {"auth.oauth2.tokenURLSecret"},
    {"auth.oauth2.scopes"},
    {"auth.oauth2.endpointParams"},
    {"auth.oauth2.endpointParams.key"},
    {"auth.oauth2.endpointParams.value"},
    {"auth.clientCert.clientCertSecret"},
    {"auth.clientCert.clientKeySecret"},
    {"saveStreamViaFile"},
};
constexpr Field kGcsFields[] = {{"bucket"}, {"key"}, {"keyFormat"}, {"serviceAccountKeySecret"}};
constexpr Field kAzureFields[] = {{"endpoint"},         {"container"},   {"blob"},
                                  {"accountKeySecret"}, {"useSDKCreds"}, {"blobNameFormat"}};
constexpr Field kOssFields[] = {
    {"endpoint"},
    {"bucket"},
    {"key"},
    {"keyFormat"},
    {"accessKeySecret"},
    {"secretKeySecret"},
    {"securityToken"},
    {"createBucketIfNotPresent"},
    {"useSDKCreds"},
    {"lifecycleRule.markInfrequentAccessAfterDays"},
    {"lifecycleRule.markDeletionAfterDays"},
};
constexpr Field kHdfsFields[] = {
    {"addresses"},
    {"hdfsUser"},
    {"path"},
    {"pathFormat"},
    {"force"},
    {"dataTransferProtection"},
    {"krbCCacheSecret"},
    {"krbKeytabSecret"},
    {"krbUsername"},
    {"krbRealm"},
    {"krbConfigConfigMap"},
    {"krbServicePrincipalName"},
};
constexpr Field kArtifactoryFields[] = {{"url"}, {"repoURL"}, {"keyFormat"}, {"usernameSecret"}, {"passwordSecret"}};
constexpr Field kFileFields[] = {{"path"}, {"keyFormat"}};

constexpr Field kTemplateFields[] = {
    {"name"},
    {"inputs"},
    {"outputs"},
    {"container"},
    {"script"},
    {"steps"},
    {"dag"},
    {"containerSet"},
    {"data"},
    {"http"},
    {"resource"},
    {"suspend"},
    {"plugin", refused},
    {"archiveLocation"},
    {"initContainers"},
    {"sidecars"},
    {"volumes"},
    {"daemon"},
    {"activeDeadlineSeconds"},
    {"timeout"},
    {"pendingTimeout"},
    {"retryStrategy"},
    {"synchronization"},
    {"mutex"},
    {"semaphore"},
    {"memoize"},
    {"parallelism"},
    {"annotations"},
    {"metrics"},
    {"podSpecPatch"},
    {"podResources"},
    {"resourceClaims"},
    {"failFast"},
    {"template", refused, "today a step of `steps` or `dag`"},
    {"templateRef", refused, "today a step of `steps` or `dag`"},
    {"arguments", refused, "today a step of `steps` or `dag`"},
    {"securityContext"},

    {"metadata", cluster},
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
    {"resubmitPendingPods", cluster},
    {"schedulerName", cluster},
};
constexpr Field kContainerSetFields[] = {{"containers"}, {"volumeMounts"}, {"retryStrategy"}};
constexpr Field kSuspendFields[] = {{"duration"}};
constexpr Field kHttpFields[] = {{"url"},      {"method"},         {"headers"},          {"body"},
                                 {"bodyFrom"}, {"timeoutSeconds"}, {"successCondition"}, {"insecureSkipVerify"}};
constexpr Field kHttpHeaderFields[] = {{"name"}, {"value"}, {"valueFrom"}};
constexpr Field kHeaderValueFields[] = {{"secretKeyRef"}};
constexpr Field kBodyFromFields[] = {{"bytes"}};
constexpr Field kDataFields[] = {{"source"}, {"transformation"}};
constexpr Field kDataSourceFields[] = {{"artifactPaths"}};
constexpr Field kTransformationFields[] = {{"expression"}};
constexpr Field kResourceFields[] = {
    {"action"},           {"manifest"},          {"manifestFrom"},  {"successCondition"},
    {"failureCondition"}, {"setOwnerReference"}, {"mergeStrategy"}, {"flags"}};
constexpr Field kManifestFromFields[] = {{"artifact"}};

#define KIST_ARGO_STEP_FIELDS                                                                                  \
  {"name"}, {"template"}, {"templateRef"}, {"inline"}, {"arguments"}, {"when"}, {"continueOn"}, {"withItems"}, \
      {"withParam"}, {"withSequence"}, {"onExit"}, {"hooks"}
constexpr Field kStepFields[] = {KIST_ARGO_STEP_FIELDS};
constexpr Field kTaskFields[] = {KIST_ARGO_STEP_FIELDS, {"dependencies"}, {"depends"}};
#undef KIST_ARGO_STEP_FIELDS
constexpr Field kSequenceFields[] = {{"count"}, {"start"}, {"end"}, {"format"}};
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
constinit const Table kStep{kStepFields};
constinit const Table kDag{kDagFields};
constinit const Table kTask{kTaskFields};
constinit const Table kContinueOn{kContinueOnFields};
constinit const Table kCronSpec{kCronSpecFields};
constinit const Table kStopStrategy{kStopStrategyFields};
constinit const Table kTemplateRef{kTemplateRefFields};
constinit const Table kHook{kHookFields};
constinit const Table kWorkflowMetadata{kWorkflowMetadataFields};
constinit const Table kLabelFrom{kLabelFromFields};
constinit const Table kRepositoryRef{kRepositoryRefFields};
constinit const Table kArtifactGc{kArtifactGcFields};
constinit const Table kExpiry{kExpiryFields};
constinit const Table kVolumeClaimGc{kVolumeClaimGcFields};
constinit const Table kPodGc{kPodGcFields};
constinit const Table kSynchronization{kSynchronizationFields};
constinit const Table kMutex{kMutexFields};
constinit const Table kSemaphore{kSemaphoreFields};
constinit const Table kKey{kKeyFields};
constinit const Table kRetry{kRetryFields};
constinit const Table kBackoff{kBackoffFields};
constinit const Table kMemoize{kMemoizeFields};
constinit const Table kCache{kCacheFields};
constinit const Table kMetrics{kMetricsFields};
constinit const Table kMetric{kMetricFields};
constinit const Table kGauge{kGaugeFields};
constinit const Table kCounter{kCounterFields};
constinit const Table kHistogram{kHistogramFields};
constinit const Table kS3{kS3Fields};
constinit const Table kGit{kGitFields};
constinit const Table kHttpLocation{kHttpLocationFields};
constinit const Table kGcs{kGcsFields};
constinit const Table kAzure{kAzureFields};
constinit const Table kOss{kOssFields};
constinit const Table kHdfs{kHdfsFields};
constinit const Table kArtifactory{kArtifactoryFields};
constinit const Table kFile{kFileFields};
constinit const Table kContainerSet{kContainerSetFields};
constinit const Table kSuspend{kSuspendFields};
constinit const Table kHttp{kHttpFields};
constinit const Table kHttpHeader{kHttpHeaderFields};
constinit const Table kHeaderValue{kHeaderValueFields};
constinit const Table kBodyFrom{kBodyFromFields};
constinit const Table kData{kDataFields};
constinit const Table kDataSource{kDataSourceFields};
constinit const Table kTransformation{kTransformationFields};
constinit const Table kResource{kResourceFields};
constinit const Table kManifestFrom{kManifestFromFields};
constinit const Table kSequence{kSequenceFields};

}  // namespace kist::dialect::argo
