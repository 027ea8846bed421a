/** Minor version of Kubernetes that the API keeps to; clients compare it with their own. */
export const kubernetesMinor = 34;
/** What API server, nodes and the command line report as the version of Kubernetes. */
export const kubernetesVersion = `v1.${kubernetesMinor}.1+dormouse`;
