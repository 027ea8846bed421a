/** On a pod: `true` asks for readiness probes as fast as sensible until the first success (Knative's `periodSeconds: 0`). */
export const aggressiveProbeAnnotation = 'node.dormouse.dev/aggressive-probe';
/** Pods of a Knative revision are stopped only after the gateway reports them drained. */
export const revisionLabel = 'serving.knative.dev/revision';
