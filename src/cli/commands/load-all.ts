/** `dormouse load-all` (hidden): loads what the platform's processes consist of, and starts nothing. For the compile cache. */
export async function loadAll(): Promise<number> {
  await Promise.all([
    import('#cli/commands/quickstart.ts'),
    import('#platform/control/main.ts'),
    import('#platform/gateway/main.ts'),
    import('#platform/node/main.ts'),
    // What those load when they need it, and the thread of the first.
    import('#client/kubeconfig.ts'),
    import('#images/client/registry-source.ts'),
    import('#storage/sqlite-thread.ts'),
    import('#wire/certificates.ts'),
  ]);
  return 0;
}
