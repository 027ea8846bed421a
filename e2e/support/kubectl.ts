import { findProgram, isExecutable } from './run.ts';

export interface Kubectl {
  readonly name: string;
  readonly program: string;
}

const minors = [27, 28, 29, 30, 31, 32, 33, 34, 35];
const folders = ['/usr/lib/google-cloud-sdk/bin', '/usr/local/bin', '/usr/bin'];

/** Every kubectl of this machine, the oldest first; several versions where `kubectl.1.NN` are installed. Empty: there is none. */
export function kubectls(): readonly Kubectl[] {
  const versioned = minors.flatMap((minor) => {
    const program = folders.map((folder) => `${folder}/kubectl.1.${minor}`).find((file) => isExecutable(file));
    return program === undefined ? [] : [{ name: `kubectl 1.${minor}`, program }];
  });
  if (versioned.length > 0) return versioned;
  const program = findProgram('kubectl');
  return program === undefined ? [] : [{ name: 'kubectl', program }];
}

/** For `it(…, { skip })`: false, or why kubectl tests cannot run here. */
export const withoutKubectl: string | false = kubectls().length === 0 ? 'kubectl is not installed' : false;
