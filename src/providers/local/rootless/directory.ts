/** Files of the user namespace: beside the engine's run directory, for they outlive what is in it. */
export function userNamespaceDirectory(runDir: string): string {
  return `${runDir}-ns`;
}

/** Where the machine's routes are written down for those inside. */
export function hostRoutesFile(runDir: string): string {
  return `${userNamespaceDirectory(runDir)}/routes`;
}
