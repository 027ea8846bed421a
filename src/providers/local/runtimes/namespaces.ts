import type { Host } from '#providers/local/host.ts';
import type { ContainerFiles } from '#providers/local/container/files.ts';
import { initNote } from '#providers/local/container/monitor-steps.ts';
import { plainProgram } from '#providers/local/container/plain-program.ts';
import type { StartPlan } from '#providers/local/container/start-plan.ts';
import type { Program } from '#providers/local/machine/program.ts';
import type { Runtime } from '#providers/local/runtimes/runtime.ts';

/** Containers out of kernel namespaces alone: nothing needs to be installed. */
export function namespacesRuntime(host: Host): Runtime {
  return {
    name: 'namespaces',
    limitsDevices: false,
    alwaysNoNewPrivileges: false,
    program: (plan, files) => programOf(host, plan, files),
    init: (files, notes) => ({ program: files.program, pid: notes.get(initNote) ?? 0 }),
    forget: () => Promise.resolve(),
    complaint: () => '',
  };
}

function programOf(host: Host, plan: StartPlan, files: ContainerFiles): Program {
  const { spec, slot, sandbox, root, privileges } = plan;
  host.cgroups.create(plan.cgroup);
  host.cgroups.setLimits(plan.cgroup, spec.resources);
  return plainProgram({
    architecture: host.launcher.architecture,
    files,
    stdin: spec.stdin,
    tty: spec.tty,
    holderPid: slot.holderPid,
    processes: plan.processes,
    hostNetwork: slot.hostNetwork,
    hostname: sandbox.hostname,
    cgroupFiles: host.cgroups.joinFiles(plan.cgroup),
    root,
    privileges,
    arguments: spec.arguments,
    environment: plan.environment,
    workingDirectory: plan.workingDirectory,
  });
}
