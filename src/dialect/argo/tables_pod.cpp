// The keys of what a pod is made of, containers and volumes: the part of the Workflow spec that is Kubernetes' own.
#include "dialect/argo/fields.hpp"

namespace kist::dialect::argo {
namespace {

using enum Use;

constexpr Field kVolumeFields[] = {
    {"name"},
    {"emptyDir"},
    {"persistentVolumeClaim"},
    {"secret"},
    {"configMap"},
    {"hostPath"},
    {"projected"},
    {"downwardAPI"},
    {"ephemeral"},
    {"nfs", refused},
    {"awsElasticBlockStore", refused},
    {"gcePersistentDisk", refused},
    {"azureDisk", refused},
    {"azureFile", refused},
    {"cephfs", refused},
    {"cinder", refused},
    {"csi", refused},
    {"fc", refused},
    {"flexVolume", refused},
    {"flocker", refused},
    {"gitRepo", refused},
    {"glusterfs", refused},
    {"image", refused},
    {"iscsi", refused},
    {"photonPersistentDisk", refused},
    {"portworxVolume", refused},
    {"quobyte", refused},
    {"rbd", refused},
    {"scaleIO", refused},
    {"storageos", refused},
    {"vsphereVolume", refused},
};
constexpr Field kClaimVolumeFields[] = {{"claimName"}, {"readOnly"}};
constexpr Field kSecretVolumeFields[] = {{"secretName"}, {"name"}, {"items"}, {"defaultMode"}, {"optional"}};
constexpr Field kConfigVolumeFields[] = {{"name"}, {"items"}, {"defaultMode"}, {"optional"}};
constexpr Field kHostPathFields[] = {{"path"}, {"type"}};
constexpr Field kProjectedFields[] = {{"sources"}, {"defaultMode"}};
constexpr Field kProjectedSourceFields[] = {
    {"secret"}, {"configMap"}, {"downwardAPI"}, {"serviceAccountToken", cluster}, {"clusterTrustBundle", cluster}};
constexpr Field kDownwardFields[] = {{"items"}, {"defaultMode"}};
constexpr Field kVolumeItemFields[] = {{"key"}, {"path"}, {"mode"}, {"fieldRef"}, {"resourceFieldRef"}};
constexpr Field kFieldRefFields[] = {{"fieldPath"}, {"apiVersion", silent}};
constexpr Field kResourceFieldFields[] = {{"resource"}, {"containerName"}, {"divisor"}};
constexpr Field kResourcesFields[] = {{"limits"}, {"requests"}, {"claims", silent}};
constexpr Field kMountFields[] = {{"name"},
                                  {"mountPath"},
                                  {"subPath"},
                                  {"subPathExpr"},
                                  {"readOnly"},
                                  {"recursiveReadOnly", silent},
                                  {"mountPropagation", cluster}};
constexpr Field kEnvironmentFromFields[] = {{"configMapRef"}, {"secretRef"}, {"prefix"}};
constexpr Field kNameFields[] = {{"name"}, {"optional"}};
constexpr Field kProbeFields[] = {{"exec"},
                                  {"httpGet"},
                                  {"tcpSocket"},
                                  {"grpc", postponed, "the container counts as ready at once"},
                                  {"initialDelaySeconds"},
                                  {"periodSeconds"},
                                  {"failureThreshold"},
                                  {"timeoutSeconds", silent},
                                  {"successThreshold", silent},
                                  {"terminationGracePeriodSeconds", silent}};
constexpr Field kExecFields[] = {{"command"}};
constexpr Field kHttpGetFields[] = {{"path"}, {"port"}, {"scheme"}, {"host"}, {"httpHeaders", silent}};
constexpr Field kSocketFields[] = {{"port"}, {"host", silent}};

#define KIST_ARGO_CONTAINER_FIELDS                                                                                \
  {"name"}, {"image"}, {"command"}, {"args"}, {"env"}, {"envFrom"}, {"workingDir"}, {"volumeMounts"},             \
      {"readinessProbe"}, {"securityContext"}, {"volumeDevices", refused},                                        \
      {"lifecycle", postponed, "its handlers are not called"}, {"imagePullPolicy", cluster}, {"resources"},       \
      {"ports", silent}, {"livenessProbe", cluster}, {"startupProbe", cluster}, {"stdin"}, {"stdinOnce", silent}, \
      {"tty"}, {"terminationMessagePath", cluster}, {"terminationMessagePolicy", cluster}, {"restartPolicy"},     \
      {"restartPolicyRules", cluster}, {                                                                          \
    "resizePolicy", cluster                                                                                       \
  }
constexpr Field kContainerFields[] = {KIST_ARGO_CONTAINER_FIELDS};
constexpr Field kScriptFields[] = {{"source"}, KIST_ARGO_CONTAINER_FIELDS};
constexpr Field kSetContainerFields[] = {{"dependencies"}, KIST_ARGO_CONTAINER_FIELDS};
constexpr Field kUserContainerFields[] = {{"mirrorVolumeMounts"}, KIST_ARGO_CONTAINER_FIELDS};
#undef KIST_ARGO_CONTAINER_FIELDS
constexpr Field kSecurityFields[] = {
    {"runAsUser"},
    {"runAsNonRoot", silent},
    {"runAsGroup", silent},
    {"fsGroup", silent},
    {"fsGroupChangePolicy", silent},
    {"supplementalGroups", silent},
    {"supplementalGroupsPolicy", silent},
    {"capabilities", cluster},
    {"privileged", cluster},
    {"allowPrivilegeEscalation", cluster},
    {"readOnlyRootFilesystem", cluster},
    {"procMount", cluster},
    {"seccompProfile", cluster},
    {"seLinuxOptions", cluster},
    {"seLinuxChangePolicy", cluster},
    {"appArmorProfile", cluster},
    {"sysctls", cluster},
    {"windowsOptions", cluster},
};
constexpr Field kEnvironmentFields[] = {{"name"}, {"value"}, {"valueFrom"}};
constexpr Field kEnvironmentValueFields[] = {
    {"secretKeyRef"}, {"configMapKeyRef"}, {"fieldRef"}, {"resourceFieldRef"}, {"fileKeyRef", refused}};

}  // namespace

constinit const Table kContainer{kContainerFields};
constinit const Table kScript{kScriptFields};
constinit const Table kEnvironment{kEnvironmentFields};
constinit const Table kVolume{kVolumeFields};
constinit const Table kClaimVolume{kClaimVolumeFields};
constinit const Table kSecretVolume{kSecretVolumeFields};
constinit const Table kConfigVolume{kConfigVolumeFields};
constinit const Table kHostPath{kHostPathFields};
constinit const Table kProjected{kProjectedFields};
constinit const Table kProjectedSource{kProjectedSourceFields};
constinit const Table kDownward{kDownwardFields};
constinit const Table kVolumeItem{kVolumeItemFields};
constinit const Table kFieldRef{kFieldRefFields};
constinit const Table kResourceField{kResourceFieldFields};
constinit const Table kResources{kResourcesFields};
constinit const Table kMount{kMountFields};
constinit const Table kEnvironmentFrom{kEnvironmentFromFields};
constinit const Table kName{kNameFields};
constinit const Table kProbe{kProbeFields};
constinit const Table kExec{kExecFields};
constinit const Table kHttpGet{kHttpGetFields};
constinit const Table kSocket{kSocketFields};
constinit const Table kSetContainer{kSetContainerFields};
constinit const Table kUserContainer{kUserContainerFields};
constinit const Table kSecurity{kSecurityFields};
constinit const Table kEnvironmentValue{kEnvironmentValueFields};

}  // namespace kist::dialect::argo
