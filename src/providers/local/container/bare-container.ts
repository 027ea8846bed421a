import type { ContainerSpec } from '#apis/runtime/engine.ts';
import type { LocalImage } from '#apis/runtime/image-service.ts';

/** A container that asks for nothing: no mounts, no limits, security as it is by default, no log. */
export function bareContainer(name: string, image: LocalImage, args: readonly string[]): ContainerSpec {
  return {
    name,
    attempt: 0,
    image,
    arguments: args,
    environment: [],
    workingDirectory: '/',
    mounts: [],
    user: { supplementalGroups: [], fromImage: '' },
    resources: {},
    security: {
      privileged: false,
      readOnlyRootFilesystem: false,
      allowPrivilegeEscalation: true,
      addCapabilities: [],
      dropCapabilities: [],
      seccomp: 'RuntimeDefault',
    },
    tty: false,
    stdin: false,
    stdinOnce: false,
    logPath: '',
    terminationMessage: { hostPath: '', containerPath: '' },
  };
}
