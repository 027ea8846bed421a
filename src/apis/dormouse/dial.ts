/** Where a connection to a pod's port goes: a path of a unix socket, or host and port. */
export type DialTarget = { readonly path: string } | { readonly host: string; readonly port: number };

/**
 * What a pod's dial annotation says for one of its ports: `unix:<path>`, in which `{port}` stands for the pod's port, or
 * `tcp:<host>:<port>`; undefined: dial the pod's IP.
 */
export function parseDial(value: string | undefined, podPort: number): DialTarget | undefined {
  if (value === undefined) return undefined;
  if (value.startsWith('unix:')) return { path: value.slice(5).replaceAll('{port}', String(podPort)) };
  const match = /^tcp:\[?([^\]]+)\]?:(\d{1,5})$/.exec(value);
  if (match === null) return undefined;
  return { host: match[1] as string, port: Number(match[2]) };
}
