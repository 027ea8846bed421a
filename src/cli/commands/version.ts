import type { Invocation } from '#cli/command.ts';
import { kubernetesVersion } from '#apis/dormouse/version.ts';
import { version } from '#platform/version.ts';

export async function printVersion({ stdout }: Invocation): Promise<number> {
  stdout.write(`dormouse ${version} (Kubernetes ${kubernetesVersion}, Node ${process.version}, ${process.platform}-${process.arch})\n`);
  return 0;
}
