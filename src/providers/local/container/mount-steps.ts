import { load, type Program } from '#providers/local/machine/program.ts';

/** Mount flags (mount(2)). */
export const mountFlags = {
  readOnly: 1,
  noSuid: 2,
  noDev: 4,
  noExec: 8,
  bind: 4096,
  recursive: 16_384,
  private: 1 << 18,
  strictAtime: 1 << 24,
} as const;

const here = -100;
const emptyPath = 0;
const recursiveAttributes = 0x8000;
const attributeReadOnly = 1n;
const alreadyExists = -17;

export function mountStep(program: Program, source: string, target: string, type: string, flags: number, data = ''): void {
  program.call('mount', [program.text(source), program.text(target), program.text(type), flags, data === '' ? 0 : program.text(data)], {
    what: `mount ${type} at ${target}`,
  });
}

/** Everything mounted from here on stays in this mount namespace. */
export function makeMountsPrivate(program: Program): void {
  program.call('mount', [program.text('none'), program.text('/'), 0, mountFlags.recursive | mountFlags.private, 0], {
    what: 'make mounts private',
  });
}

export interface BindOptions {
  readonly readOnly?: boolean;
  readonly optional?: boolean;
}

export function bindStep(program: Program, source: string, target: string, options: BindOptions = {}): void {
  const onError = options.optional === true ? program.label() : 'fail';
  program.call('mount', [program.text(source), program.text(target), 0, mountFlags.bind | mountFlags.recursive, 0], {
    what: `mount ${source} at ${target}`,
    onError,
  });
  if (options.readOnly === true) readOnlyStep(program, target);
  if (onError !== 'fail') program.place(onError);
}

/** Makes a mount, and the mounts below it unless `shallow`, read-only without touching its other flags (a user namespace may not clear them). */
export function readOnlyStep(program: Program, target: string, shallow = false): void {
  const attributes = Buffer.alloc(32);
  attributes.writeBigUInt64LE(attributeReadOnly);
  const size = attributes.length;
  program.call('mount_setattr', [here, program.text(target), shallow ? emptyPath : recursiveAttributes, program.bytes(attributes), size], {
    what: `make ${target} read-only`,
  });
}

/** `mkdir -p`; symbolic links on the way are followed, so only where they cannot lead out of the container. */
export function makeDirectories(program: Program, path: string, mode = 0o755): void {
  const parts = path.split('/').filter(Boolean);
  for (let depth = 1; depth <= parts.length; depth++) {
    program.call('mkdirat', [here, program.text(`/${parts.slice(0, depth).join('/')}`), mode], { onError: 'ignore' });
  }
}

export function makeDirectory(program: Program, path: string, mode = 0o755): void {
  program.call('mkdirat', [here, program.text(path), mode], { what: `make directory ${path}` });
}

/** Makes an empty file to mount something over; keeps what is there. */
export function makeFile(program: Program, path: string): void {
  const fd = program.slot();
  program.call('openat', [here, program.text(path), 0o100 | 0o2000000, 0o644], { store: fd, what: `make ${path}` });
  program.call('close', [load(fd)], { onError: 'ignore' });
}

export function symlinkStep(program: Program, target: string, path: string): void {
  program.call('symlinkat', [program.text(target), here, program.text(path)], { what: `link ${path}` });
}

/** Makes a named pipe that only its owner may open; keeps one that is there. */
export function makeFifo(program: Program, path: string): void {
  const result = program.slot();
  const done = program.label();
  program.call('mknodat', [here, program.text(path), 0o010_600, 0], { store: result, onError: 'ignore' });
  program.jumpIfEqual(result, alreadyExists, done);
  program.jumpIfNegative(result, 'fail', `make ${path}`);
  program.place(done);
}

/** Opens a file as a given descriptor, which stays open over execve. */
export function openAs(program: Program, path: string, flags: number, descriptor: number): void {
  const fd = program.slot();
  program.call('openat', [here, program.text(path), flags, 0], { store: fd, what: `open ${path}` });
  const done = program.label();
  program.jumpIfEqual(fd, descriptor, done);
  program.call('dup3', [load(fd), descriptor, 0], { what: `open ${path}` });
  program.call('close', [load(fd)], { onError: 'ignore' });
  program.place(done);
}
