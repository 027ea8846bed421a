import { clone, personality, refusedCalls, socket } from '#providers/local/seccomp/profile.ts';

/** The default profile in the OCI runtime specification's form. A list of refusals is short, so the runtime compiles it quickly. */
export function ociProfile(capabilities: readonly string[]): object {
  const refuse = (names: readonly string[], errnoRet = 1, args?: readonly object[]) => ({
    names,
    action: 'SCMP_ACT_ERRNO',
    errnoRet,
    ...(args === undefined ? {} : { args }),
  });
  const trusted = capabilities.includes('SYS_ADMIN');
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: process.arch === 'x64' ? ['SCMP_ARCH_X86_64'] : ['SCMP_ARCH_AARCH64'],
    syscalls: [
      refuse(Object.keys(refusedCalls(capabilities))),
      ...(trusted ? [] : [refuse(['clone3'], 38), ...namespaceFlagBits().map((bit) => refuse(['clone'], 1, [masked(bit)]))]),
      refuse(['socket'], 97, [{ index: 0, value: socket.refusedFamily, op: 'SCMP_CMP_EQ' }]),
      refuse(
        ['personality'],
        1,
        personality.allowed.map((value) => ({ index: 0, value, op: 'SCMP_CMP_NE' })),
      ),
    ],
  };
}

function namespaceFlagBits(): readonly number[] {
  return Array.from({ length: 32 }, (_, bit) => 2 ** bit).filter((bit) => (clone.namespaceFlags & bit) !== 0);
}

function masked(bit: number): object {
  return { index: 0, value: bit, valueTwo: bit, op: 'SCMP_CMP_MASKED_EQ' };
}
