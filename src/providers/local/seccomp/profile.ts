import type { Architecture } from '#providers/local/machine/numbers.ts';

/** System calls a container may not make, `[x86-64 number, arm64 number]`; −1: does not exist there. */
type Calls = Readonly<Record<string, readonly [number, number]>>;

/** Refused to everybody: they reach past namespaces, hold old bugs, or make the kernel's attack surface much larger (io_uring, userfaultfd). */
const refused: Calls = {
  add_key: [248, 217],
  create_module: [174, -1],
  get_kernel_syms: [177, -1],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_uring_setup: [425, 425],
  kexec_file_load: [320, 294],
  kexec_load: [246, 104],
  keyctl: [250, 219],
  move_pages: [279, 239],
  nfsservctl: [180, 42],
  pidfd_getfd: [438, 438],
  query_module: [178, -1],
  request_key: [249, 218],
  sysfs: [139, -1],
  _sysctl: [156, -1],
  uselib: [134, -1],
  userfaultfd: [323, 282],
  ustat: [136, -1],
};

/** Refused unless the container holds the capability. */
const needing: Readonly<Record<string, Calls>> = {
  SYS_ADMIN: {
    bpf: [321, 280],
    fanotify_init: [300, 262],
    fsconfig: [431, 431],
    fsmount: [432, 432],
    fsopen: [430, 430],
    fspick: [433, 433],
    lookup_dcookie: [212, 18],
    mount: [165, 40],
    mount_setattr: [442, 442],
    move_mount: [429, 429],
    open_tree: [428, 428],
    perf_event_open: [298, 241],
    pivot_root: [155, 41],
    quotactl: [179, 60],
    quotactl_fd: [443, 443],
    setdomainname: [171, 162],
    sethostname: [170, 161],
    setns: [308, 268],
    syslog: [103, 116],
    umount2: [166, 39],
    unshare: [272, 97],
  },
  DAC_READ_SEARCH: { name_to_handle_at: [303, 264], open_by_handle_at: [304, 265] },
  SYS_BOOT: { reboot: [169, 142] },
  SYS_MODULE: { delete_module: [176, 106], finit_module: [313, 273], init_module: [175, 105] },
  SYS_PACCT: { acct: [163, 89] },
  SYS_RAWIO: { ioperm: [173, -1], iopl: [172, -1] },
  SYS_TIME: { clock_adjtime: [305, 266], clock_settime: [227, 112], settimeofday: [164, 170] },
  SYS_TTY_CONFIG: { vhangup: [153, 58] },
  SYS_PTRACE: { kcmp: [312, 272], process_madvise: [440, 440] },
  SYS_NICE: { get_mempolicy: [239, 236], mbind: [237, 235], migrate_pages: [256, 238], set_mempolicy: [238, 237] },
};
const swap: Calls = { swapoff: [168, 225], swapon: [167, 224] };

/** Calls refused for their arguments. */
export const clone = { numbers: [56, 220], namespaceFlags: 0x7e02_0000 } as const;
export const clone3: readonly [number, number] = [435, 435];
export const personality = { numbers: [135, 92], allowed: [0, 8, 0x2_0000, 0x2_0008, 0xffff_ffff] } as const;
export const socket = { numbers: [41, 198], refusedFamily: 40 } as const; // AF_VSOCK

/** Calls with higher numbers are younger than this list and answered with ENOSYS, so that programs use the older way. */
export const highestKnownCall = 456;

/** What the profile refuses to a container with these capabilities, by name. Same spirit as the container engines' documented default profile. */
export function refusedCalls(capabilities: readonly string[]): Calls {
  const missing = Object.entries(needing).filter(([capability]) => !capabilities.includes(capability));
  return Object.assign({}, refused, swap, ...missing.map(([, calls]) => calls)) as Calls;
}

export function numberOf(numbers: readonly [number, number], architecture: Architecture): number {
  return numbers[architecture === 'x64' ? 0 : 1];
}
