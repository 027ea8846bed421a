import { mkdir, stat, writeFile } from 'node:fs/promises';

type Stats = Awaited<ReturnType<typeof stat>>;

const checks: Readonly<Record<string, { readonly what: string; readonly test: (stats: Stats) => boolean }>> = {
  Directory: { what: 'a directory', test: (stats) => stats.isDirectory() },
  DirectoryOrCreate: { what: 'a directory', test: (stats) => stats.isDirectory() },
  File: { what: 'a file', test: (stats) => stats.isFile() },
  FileOrCreate: { what: 'a file', test: (stats) => stats.isFile() },
  Socket: { what: 'a socket file', test: (stats) => stats.isSocket() },
  CharDevice: { what: 'a character device', test: (stats) => stats.isCharacterDevice() },
  BlockDevice: { what: 'a block device', test: (stats) => stats.isBlockDevice() },
};

/** Checks (and for the `…OrCreate` types makes) a hostPath volume's path, as its `type` asks. */
export async function prepareHostPath(path: string, type: string): Promise<void> {
  if (type === 'DirectoryOrCreate') await mkdir(path, { recursive: true, mode: 0o755 });
  if (type === 'FileOrCreate') await writeFile(path, '', { flag: 'a', mode: 0o644 });
  const check = checks[type];
  if (check === undefined) return;
  const stats = await stat(path).catch(() => undefined);
  if (stats === undefined || !check.test(stats)) throw new Error(`hostPath type check failed: ${path} is not ${check.what}`);
}
