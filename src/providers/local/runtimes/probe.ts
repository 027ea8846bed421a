import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { SandboxSpec } from '#apis/runtime/engine.ts';
import { type LocalImage, emptyImageConfig } from '#apis/runtime/image-service.ts';
import { bareContainer } from '#providers/local/container/bare-container.ts';
import type { Host } from '#providers/local/host.ts';
import { containerFiles, parseExitRecord } from '#providers/local/container/files.ts';
import { planStart } from '#providers/local/container/start-plan.ts';
import { Program } from '#providers/local/machine/program.ts';
import type { SlotFactory } from '#providers/local/network/slot-factory.ts';
import type { Runtime } from '#providers/local/runtimes/runtime.ts';

const expectedCode = 42;
const deadlineMs = 10_000;

/** Runs a container whose only program exits with a known code, limits and all. Returns what went wrong, or undefined. */
export async function probeRuntime(host: Host, factory: SlotFactory, runtime: Runtime, layer: string): Promise<string | undefined> {
  const program = new Program(host.launcher.architecture);
  program.exit(expectedCode);
  writeFileSync(join(layer, 'program'), program.build());
  const slot = await factory.create({ hostNetwork: true, shareProcessNamespace: false });
  const files = containerFiles(host.slots.directoryOf(slot.slot), host.exitsDirectory, slot.slot, 'probe', 0);
  try {
    mkdirSync(files.directory);
    const container = bareContainer('probe', imageOf(layer), ['/launcher', '/program']);
    const plan = planStart(host, slot, sandbox, container, runtime, 'own');
    await host.launcher.run(runtime.program(plan, files), files.program);
    const code = await exitCode(files.exit);
    return code === expectedCode ? undefined : `a container that should exit with ${expectedCode} exited with ${code ?? 'nothing'}`;
  } catch (error) {
    const complaint = runtime.complaint(files);
    return complaint === '' ? String(error) : complaint;
  } finally {
    await factory.remove(slot);
    await runtime.forget(files);
  }
}

async function exitCode(file: string): Promise<number | undefined> {
  for (const deadline = performance.now() + deadlineMs; performance.now() < deadline; await delay(2)) {
    if (existsSync(file)) return parseExitRecord(readFileSync(file)).exitCode;
  }
  return undefined;
}

const sandbox: SandboxSpec = {
  id: 'probe',
  namespace: '',
  name: 'probe',
  hostname: 'probe',
  hostNetwork: true,
  dns: { nameservers: [], searches: [], options: [] },
  hostAliases: [],
  sysctls: {},
  shareProcessNamespace: false,
};

const imageOf = (layer: string): LocalImage => ({
  digest: '',
  reference: '',
  layers: [layer],
  config: emptyImageConfig,
  sizeBytes: 0,
  source: '',
});
