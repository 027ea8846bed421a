/** Pods of a Knative revision are stopped only after the gateway reports them drained. */
export const revisionLabel = 'serving.knative.dev/revision';
