export type Architecture = 'x64' | 'arm64';

/** System call numbers, `[x86-64, arm64]`, from the kernel's UAPI headers (asm/unistd_64.h, asm-generic/unistd.h). */
const table = {
  read: [0, 63],
  write: [1, 64],
  openat: [257, 56],
  close: [3, 57],
  dup3: [292, 24],
  fcntl: [72, 25],
  ioctl: [16, 29],
  mount: [165, 40],
  umount2: [166, 39],
  pivot_root: [155, 41],
  mount_setattr: [442, 442],
  chdir: [80, 49],
  mkdirat: [258, 34],
  mknodat: [259, 33],
  symlinkat: [266, 36],
  unlinkat: [263, 35],
  renameat2: [316, 276],
  execve: [59, 221],
  clone: [56, 220],
  wait4: [61, 260],
  waitid: [247, 95],
  exit_group: [231, 94],
  kill: [62, 129],
  getpid: [39, 172],
  setsid: [112, 157],
  umask: [95, 166],
  rt_sigprocmask: [14, 135],
  rt_sigtimedwait: [128, 137],
  prctl: [157, 167],
  capset: [126, 91],
  setresuid: [117, 147],
  setresgid: [119, 149],
  setgroups: [116, 159],
  unshare: [272, 97],
  setns: [308, 268],
  pidfd_open: [434, 434],
  sethostname: [170, 161],
  seccomp: [317, 277],
  clock_gettime: [228, 113],
  nanosleep: [35, 101],
  socket: [41, 198],
  bind: [49, 200],
  listen: [50, 201],
  accept4: [288, 242],
  setsockopt: [54, 208],
  getsockopt: [55, 209],
  sendto: [44, 206],
  recvfrom: [45, 207],
  connect: [42, 203],
  shutdown: [48, 210],
  ppoll: [271, 73],
  close_range: [436, 436],
} as const satisfies Record<string, readonly [number, number]>;

export type SystemCall = keyof typeof table;

export function systemCallNumber(call: SystemCall, architecture: Architecture): number {
  return table[call][architecture === 'x64' ? 0 : 1];
}

/** This machine's architecture, or undefined where the launcher has no code for it. */
export function hostArchitecture(): Architecture | undefined {
  return process.arch === 'x64' || process.arch === 'arm64' ? process.arch : undefined;
}
