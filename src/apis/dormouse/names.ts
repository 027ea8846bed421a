/** Names that several parts agree on. Annotations and labels of our own live under dormouse.dev. */
/** Group of what the API serves besides Kubernetes' and Knative's kinds. */
export const dormouseGroup = 'dormouse.dev';
export const dialAnnotation = 'node.dormouse.dev/dial';
/** On the Node: JSON of its PodNetwork, for the gateway's and API's listeners there. */
export const podNetworkAnnotation = 'node.dormouse.dev/pod-network';
export interface PodNetwork {
  readonly bridgeIp: string;
  readonly cidr: string;
  /** This machine's own processes reach Services through the kernel; where not, a relay passes connections on. */
  readonly servesHost: boolean;
}
/** On a pod: set to `true` by the gateway when it has no request on the pod and will send none; the agent then stops it. */
export const drainedAnnotation = 'gateway.dormouse.dev/drained';
/** On a revision template: `freeze` keeps idle pods frozen instead of removing them. */
export const idleAnnotation = 'autoscaling.dormouse.dev/idle';
/** How long a frozen pod is kept before it is removed, e.g. `30m`. */
export const frozenRetentionAnnotation = 'autoscaling.dormouse.dev/frozen-retention';
/** On a pod: `true` asks the node agent to freeze it, absent or `false` to thaw it. */
export const freezeAnnotation = 'node.dormouse.dev/freeze';
/** On a pod: `true` asks for readiness probes as fast as sensible until the first success (Knative's `periodSeconds: 0`). */
export const aggressiveProbeAnnotation = 'node.dormouse.dev/aggressive-probe';
/** On a pod: `true` lets readiness probes by HTTP speak HTTP/2 (prior knowledge) first, and HTTP/1.1 where that is not answered well. */
export const detectHttp2Annotation = 'node.dormouse.dev/detect-http2';
/** The Service that stands for the gateway's public listener, under the name people look for it. */
export const gatewayService = 'istio-system/istio-ingressgateway';
/**
 * The Secret with the authority that signs services' certificates: made when the first one is wanted, unless somebody has put their own
 * there. Its place is the one where Knative's tests and cert-manager's guides have it.
 */
export const authoritySecret = 'cert-manager/ca-key-pair';
/** The certificate of that authority alone, for clients to trust: where Knative's guides and tests look for it. */
export const trustedAuthoritySecret = 'cert-manager/knative-selfsigned-ca';
export const systemNamespace = 'knative-serving';
/** Where pods' requests to services go: the gateway's cluster-local listeners. */
export const localGatewayService = `${systemNamespace}/gateway-local`;
/** The same under the name Knative gives the place where requests wait for a revision that sleeps. */
export const activatorService = `${systemNamespace}/activator-service`;
/** The gateway's cluster-local port on the pod network: the usual one, so that names need no port. */
export const localGatewayPort = 80;
/** The same with TLS, for names that have a certificate. */
export const localGatewayTlsPort = 443;
export const clusterDomain = 'cluster.local';
/** Cluster IPs of Services. */
export const serviceCidr = '10.96.0.0/16';
/** Makes volumes as directories on a node; the default class is its. */
export const directoryProvisioner = 'dormouse.dev/directory';
export const standardStorageClass = 'standard';
export const schedulerName = 'default-scheduler';
