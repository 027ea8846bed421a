import { mutatingAdmissionPolicyBindingDefinition } from '#apis/admissionregistration/v1/mutating-admission-policy-binding.ts';
import { mutatingAdmissionPolicyDefinition } from '#apis/admissionregistration/v1/mutating-admission-policy.ts';
import { mutatingWebhookConfigurationDefinition } from '#apis/admissionregistration/v1/mutating-webhook-configuration.ts';
import { validatingAdmissionPolicyBindingDefinition } from '#apis/admissionregistration/v1/validating-admission-policy-binding.ts';
import { validatingAdmissionPolicyDefinition } from '#apis/admissionregistration/v1/validating-admission-policy.ts';
import { validatingWebhookConfigurationDefinition } from '#apis/admissionregistration/v1/validating-webhook-configuration.ts';
import { customResourceDefinitionDefinition } from '#apis/apiextensions/v1/custom-resource-definition.ts';
import { apiServiceDefinition } from '#apis/apiregistration/v1/api-service.ts';
import { controllerRevisionDefinition } from '#apis/apps/v1/controller-revision.ts';
import { daemonSetDefinition } from '#apis/apps/v1/daemon-set.ts';
import { deploymentDefinition } from '#apis/apps/v1/deployment.ts';
import { replicaSetDefinition } from '#apis/apps/v1/replica-set.ts';
import { statefulSetDefinition } from '#apis/apps/v1/stateful-set.ts';
import { selfSubjectReviewDefinition } from '#apis/authentication/v1/self-subject-review.ts';
import { tokenRequestDefinition } from '#apis/authentication/v1/token-request.ts';
import { tokenReviewDefinition } from '#apis/authentication/v1/token-review.ts';
import { localSubjectAccessReviewDefinition } from '#apis/authorization/v1/local-subject-access-review.ts';
import { selfSubjectAccessReviewDefinition } from '#apis/authorization/v1/self-subject-access-review.ts';
import { selfSubjectRulesReviewDefinition } from '#apis/authorization/v1/self-subject-rules-review.ts';
import { subjectAccessReviewDefinition } from '#apis/authorization/v1/subject-access-review.ts';
import { scaleDefinition } from '#apis/autoscaling/v1/scale.ts';
import { horizontalPodAutoscalerDefinition } from '#apis/autoscaling/v2/horizontal-pod-autoscaler.ts';
import { cronJobDefinition } from '#apis/batch/v1/cron-job.ts';
import { jobDefinition } from '#apis/batch/v1/job.ts';
import { certificateSigningRequestDefinition } from '#apis/certificates/v1/certificate-signing-request.ts';
import { leaseDefinition } from '#apis/coordination/v1/lease.ts';
import { bindingDefinition } from '#apis/core/v1/binding.ts';
import { componentStatusDefinition } from '#apis/core/v1/component-status.ts';
import { configMapDefinition } from '#apis/core/v1/config-map.ts';
import { endpointsDefinition } from '#apis/core/v1/endpoints.ts';
import { eventDefinition } from '#apis/core/v1/event.ts';
import { limitRangeDefinition } from '#apis/core/v1/limit-range.ts';
import { namespaceDefinition } from '#apis/core/v1/namespace.ts';
import { nodeDefinition } from '#apis/core/v1/node.ts';
import { persistentVolumeClaimDefinition } from '#apis/core/v1/persistent-volume-claim.ts';
import { persistentVolumeDefinition } from '#apis/core/v1/persistent-volume.ts';
import { podTemplateDefinition } from '#apis/core/v1/pod-template.ts';
import { podDefinition } from '#apis/core/v1/pod.ts';
import { replicationControllerDefinition } from '#apis/core/v1/replication-controller.ts';
import { resourceQuotaDefinition } from '#apis/core/v1/resource-quota.ts';
import { secretDefinition } from '#apis/core/v1/secret.ts';
import { serviceAccountDefinition } from '#apis/core/v1/service-account.ts';
import { serviceDefinition } from '#apis/core/v1/service.ts';
import type { KindDefinition } from '#apis/definition.ts';
import { endpointSliceDefinition } from '#apis/discovery/v1/endpoint-slice.ts';
import { eventDefinition as eventsEventDefinition } from '#apis/events/v1/event.ts';
import { flowSchemaDefinition } from '#apis/flowcontrol/v1/flow-schema.ts';
import { priorityLevelConfigurationDefinition } from '#apis/flowcontrol/v1/priority-level-configuration.ts';
import { ingressClassDefinition } from '#apis/networking/v1/ingress-class.ts';
import { ingressDefinition } from '#apis/networking/v1/ingress.ts';
import { ipAddressDefinition } from '#apis/networking/v1/ip-address.ts';
import { networkPolicyDefinition } from '#apis/networking/v1/network-policy.ts';
import { serviceCIDRDefinition } from '#apis/networking/v1/service-cidr.ts';
import { runtimeClassDefinition } from '#apis/node/v1/runtime-class.ts';
import { evictionDefinition } from '#apis/policy/v1/eviction.ts';
import { podDisruptionBudgetDefinition } from '#apis/policy/v1/pod-disruption-budget.ts';
import { clusterRoleBindingDefinition } from '#apis/rbac/v1/cluster-role-binding.ts';
import { clusterRoleDefinition } from '#apis/rbac/v1/cluster-role.ts';
import { roleBindingDefinition } from '#apis/rbac/v1/role-binding.ts';
import { roleDefinition } from '#apis/rbac/v1/role.ts';
import { deviceClassDefinition } from '#apis/resource/v1/device-class.ts';
import { resourceClaimTemplateDefinition } from '#apis/resource/v1/resource-claim-template.ts';
import { resourceClaimDefinition } from '#apis/resource/v1/resource-claim.ts';
import { resourceSliceDefinition } from '#apis/resource/v1/resource-slice.ts';
import { priorityClassDefinition } from '#apis/scheduling/v1/priority-class.ts';
import { csiDriverDefinition } from '#apis/storage/v1/csi-driver.ts';
import { csiNodeDefinition } from '#apis/storage/v1/csi-node.ts';
import { csiStorageCapacityDefinition } from '#apis/storage/v1/csi-storage-capacity.ts';
import { storageClassDefinition } from '#apis/storage/v1/storage-class.ts';
import { volumeAttachmentDefinition } from '#apis/storage/v1/volume-attachment.ts';
import { volumeAttributesClassDefinition } from '#apis/storage/v1/volume-attributes-class.ts';

/** Every kind kube-apiserver has built in, in the order its discovery lists the groups: core first. */
export const builtinKinds: readonly KindDefinition[] = [
  podDefinition,
  podTemplateDefinition,
  nodeDefinition,
  namespaceDefinition,
  serviceDefinition,
  endpointsDefinition,
  configMapDefinition,
  secretDefinition,
  serviceAccountDefinition,
  eventDefinition,
  bindingDefinition,
  componentStatusDefinition,
  limitRangeDefinition,
  resourceQuotaDefinition,
  replicationControllerDefinition,
  persistentVolumeDefinition,
  persistentVolumeClaimDefinition,
  apiServiceDefinition,
  deploymentDefinition,
  replicaSetDefinition,
  daemonSetDefinition,
  statefulSetDefinition,
  controllerRevisionDefinition,
  eventsEventDefinition,
  tokenReviewDefinition,
  selfSubjectReviewDefinition,
  subjectAccessReviewDefinition,
  localSubjectAccessReviewDefinition,
  selfSubjectAccessReviewDefinition,
  selfSubjectRulesReviewDefinition,
  horizontalPodAutoscalerDefinition,
  jobDefinition,
  cronJobDefinition,
  certificateSigningRequestDefinition,
  ingressDefinition,
  ingressClassDefinition,
  networkPolicyDefinition,
  ipAddressDefinition,
  serviceCIDRDefinition,
  podDisruptionBudgetDefinition,
  roleDefinition,
  clusterRoleDefinition,
  roleBindingDefinition,
  clusterRoleBindingDefinition,
  storageClassDefinition,
  volumeAttachmentDefinition,
  volumeAttributesClassDefinition,
  csiDriverDefinition,
  csiNodeDefinition,
  csiStorageCapacityDefinition,
  mutatingWebhookConfigurationDefinition,
  validatingWebhookConfigurationDefinition,
  validatingAdmissionPolicyDefinition,
  validatingAdmissionPolicyBindingDefinition,
  mutatingAdmissionPolicyDefinition,
  mutatingAdmissionPolicyBindingDefinition,
  customResourceDefinitionDefinition,
  priorityClassDefinition,
  leaseDefinition,
  runtimeClassDefinition,
  endpointSliceDefinition,
  flowSchemaDefinition,
  priorityLevelConfigurationDefinition,
  deviceClassDefinition,
  resourceClaimDefinition,
  resourceClaimTemplateDefinition,
  resourceSliceDefinition,
];

/** Kinds that exist only as bodies of subresources: `…/scale`, `serviceaccounts/token`, `pods/eviction`. */
export const subresourceKinds: readonly KindDefinition[] = [scaleDefinition, tokenRequestDefinition, evictionDefinition];
