import type { AdmissionPlugin } from '#apiserver/admission/admission.ts';
import { namespaceLifecycle } from '#apiserver/admission/namespace-lifecycle.ts';
import type { RbacAuthorizer } from '#apiserver/auth/rbac-authorizer.ts';
import type { ServerContext } from '#apiserver/context.ts';

/** What admission hands out. */
export interface AdmissionConfig {
  /** Range of ClusterIPs, IPv4. Default 10.96.0.0/16. */
  readonly serviceCidr?: string;
  /** Range of node ports, both ends included. Default 30000–32767. */
  readonly nodePorts?: { readonly from: number; readonly to: number };
}

/** The server's own plug-ins in the order they run. */
export function defaultAdmission(context: ServerContext, _authorizer: RbacAuthorizer, _config: AdmissionConfig = {}): AdmissionPlugin[] {
  return [namespaceLifecycle(context)];
}
