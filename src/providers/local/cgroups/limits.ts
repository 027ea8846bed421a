import type { ContainerResources } from '#apis/runtime/engine.ts';

export interface LimitFile {
  readonly controller: 'cpu' | 'memory' | 'pids';
  readonly file: string;
  readonly value: string;
  /** The kernel may have been built without it. */
  readonly optional?: boolean;
}

const periodMicros = 100_000;
const unlimitedV1 = '-1';

/**
 * What is written where for a container's resources. The conversions are the kubelet's: 1 CPU of request = 1024 shares (at least 2);
 * quota over a period of 100 ms (at least 1 ms); weight = 1 + (shares − 2) · 9999 / 262142 (KEP-2254). Swap is not allowed beyond the memory limit.
 */
export function limitFiles(version: 1 | 2, resources: ContainerResources): readonly LimitFile[] {
  const shares = cpuShares(resources);
  const quota = cpuQuotaMicros(resources);
  const memory = resources.memoryLimitBytes;
  const pids = resources.pidsLimit === undefined ? 'max' : String(resources.pidsLimit);
  if (version === 2) {
    const weight = Math.max(1, Math.floor(1 + ((shares - 2) * 9999) / 262_142));
    return [
      { controller: 'cpu', file: 'cpu.weight', value: String(weight) },
      { controller: 'cpu', file: 'cpu.max', value: `${quota ?? 'max'} ${periodMicros}` },
      { controller: 'memory', file: 'memory.max', value: String(memory ?? 'max') },
      { controller: 'memory', file: 'memory.swap.max', value: memory === undefined ? 'max' : '0', optional: true },
      { controller: 'pids', file: 'pids.max', value: pids },
    ];
  }
  const memoryValue = memory === undefined ? unlimitedV1 : String(memory);
  return [
    { controller: 'cpu', file: 'cpu.shares', value: String(shares) },
    { controller: 'cpu', file: 'cpu.cfs_period_us', value: String(periodMicros), optional: true },
    { controller: 'cpu', file: 'cpu.cfs_quota_us', value: quota === undefined ? unlimitedV1 : String(quota) },
    // Memory and memory+swap bound each other, so raising and lowering need opposite orders: the first write may fail, one of both passes.
    { controller: 'memory', file: 'memory.memsw.limit_in_bytes', value: memoryValue, optional: true },
    { controller: 'memory', file: 'memory.limit_in_bytes', value: memoryValue },
    { controller: 'memory', file: 'memory.memsw.limit_in_bytes', value: memoryValue, optional: true },
    { controller: 'pids', file: 'pids.max', value: pids },
  ];
}

export function cpuShares(resources: ContainerResources): number {
  const millis = resources.cpuRequestMillis ?? resources.cpuLimitMillis ?? 0;
  return Math.min(262_144, Math.max(2, Math.floor((millis * 1024) / 1000)));
}

export function cpuQuotaMicros(resources: ContainerResources): number | undefined {
  if (resources.cpuLimitMillis === undefined) return undefined;
  return Math.max(1000, Math.floor((resources.cpuLimitMillis * periodMicros) / 1000));
}
