import { serviceCidr as defaultServiceCidr } from '#apis/dormouse/names.ts';
import type { AdmissionPlugin } from '#apiserver/admission/admission.ts';
import { escalationCheck } from '#apiserver/admission/escalation.ts';
import { limitRanger } from '#apiserver/admission/limit-ranger.ts';
import { namespaceLifecycle } from '#apiserver/admission/namespace-lifecycle.ts';
import { defaultTolerations, priorityAdmission } from '#apiserver/admission/pod-defaults.ts';
import { serviceAccountAdmission } from '#apiserver/admission/service-account.ts';
import { serviceAllocation } from '#apiserver/admission/service-allocation.ts';
import { storageDefaults } from '#apiserver/admission/storage-defaults.ts';
import type { RbacAuthorizer } from '#apiserver/auth/rbac-authorizer.ts';
import type { ServerContext } from '#apiserver/context.ts';

/** What admission hands out. */
export interface AdmissionConfig {
  /** Range of ClusterIPs, IPv4. Default 10.96.0.0/16. */
  readonly serviceCidr?: string;
  /** Range of node ports, both ends included. Default 30000–32767. */
  readonly nodePorts?: { readonly from: number; readonly to: number };
}

export interface AdmissionHooks {
  /** Makes the `default` ServiceAccount of a namespace where it is missing. */
  readonly ensureDefaultAccount: (namespace: string) => Promise<void>;
}

/** The server's own plug-ins in the order they run. */
export function defaultAdmission(
  context: ServerContext,
  authorizer: RbacAuthorizer,
  { ensureDefaultAccount }: AdmissionHooks,
  { serviceCidr = defaultServiceCidr, nodePorts = { from: 30_000, to: 32_767 } }: AdmissionConfig = {},
): AdmissionPlugin[] {
  return [
    namespaceLifecycle(context),
    limitRanger(context),
    serviceAccountAdmission(context, ensureDefaultAccount),
    defaultTolerations,
    priorityAdmission(context),
    storageDefaults(context),
    serviceAllocation(context, { cidr: serviceCidr, nodePorts }),
    escalationCheck(authorizer),
  ];
}
