/** Files of the user namespace: beside the engine's run directory, for they outlive what is in it. */
export function userNamespaceDirectory(runDir: string): string {
  return `${runDir}-ns`;
}
