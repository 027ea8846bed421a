/**
 * How glibc shall treat the platform's processes; who sets these variables for the platform has the last word.
 *
 * It keeps what was freed for later and raises its own thresholds as it goes: after a thousand new services that is some 20 MB over all
 * processes. With fixed thresholds it gives back what a burst needed.
 *
 * It copies 2 KB and more by `rep movsb`, which takes fifteen times as long where the target lies just behind the source, seen within a page
 * (AMD's; `bench/gateway/run.ts` at 100 KB shows it). Below the size given here it copies by vector registers, which is never slower by much.
 */
export const cLibraryHabits = {
  MALLOC_ARENA_MAX: '2',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_MMAP_THRESHOLD_: '131072',
  GLIBC_TUNABLES: 'glibc.cpu.x86_rep_movsb_threshold=1048576',
} as const;
