import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Clock } from '#core/clock.ts';
import { eventLoopMeter } from '#core/event-loop.ts';

/** What `collectWhenIdle` needs to know of a process and can do to it. */
export interface Heap {
  /** Share of the time since the last call that the event loop was at work, 0 to 1. */
  utilization(): number;
  usedBytes(): number;
  collect(): void;
  /** How much of itself the heap grows by until it is collected next, in percent; 0: as V8 sees fit. */
  growBy(percent: number): void;
}

const lookEveryMs = 5000;
/** Below this share of its time at work a process counts as idle: a pause of some ten milliseconds meets nobody then. */
const idleShare = 0.05;
/** Garbage worth a collection. */
const worthBytes = 4 * 2 ** 20;
/** Caches let go of what nobody has used for a while: a collection that was worth it is followed by another after this time. */
const againAfterMs = 60_000;
const measureEveryMs = 1000;
const largeBytes = 120 * 2 ** 20;
const largeGrowsBy = 50;

const slabBytes = 2 ** 18;

/**
 * Small Buffers share slabs that are large enough for malloc to map them, and to unmap them once the last of theirs is collected. One by one
 * they would lie scattered over the heap of malloc, which hardly ever gives a page back: 27 KB for each of two thousand sleeping services.
 */
export function useLargeSlabs(): void {
  Buffer.poolSize = slabBytes;
}

/**
 * Collects garbage while the process has little to do. V8 collects only as it allocates, so what a burst left behind (hundreds of
 * megabytes after a thousand new objects) would otherwise stay resident for as long as the process idles. Ends with the signal.
 */
export function collectWhenIdle(clock: Clock, signal: AbortSignal, heap: Heap = v8Heap()): void {
  let keptBytes = 0;
  let againMs = Infinity;
  const look = () => {
    const isIdle = heap.utilization() < idleShare;
    const isWorth = heap.usedBytes() - keptBytes > worthBytes;
    const now = clock.monotonic();
    if (isIdle && (isWorth || now >= againMs)) {
      heap.collect();
      keptBytes = heap.usedBytes();
      againMs = isWorth ? now + againAfterMs : Infinity;
    }
    cancel = clock.after(lookEveryMs, look);
  };
  let cancel = clock.after(lookEveryMs, look);
  signal.addEventListener('abort', () => cancel(), { once: true });
}

/**
 * A large heap grows by half at most until it is collected; a small one as V8 sees fit, which takes less time. Marking half a gigabyte of garbage
 * needs many small blocks of malloc's memory, and what comes to lie between them keeps their pages from going back to the system: 15 MB
 * after two thousand new services. Ends with the signal.
 */
export function limitGrowth(clock: Clock, signal: AbortSignal, heap: Heap = v8Heap()): void {
  let isLarge = false;
  const look = () => {
    if (heap.usedBytes() > largeBytes !== isLarge) {
      isLarge = !isLarge;
      heap.growBy(isLarge ? largeGrowsBy : 0);
    }
    cancel = clock.after(measureEveryMs, look);
  };
  let cancel = clock.after(measureEveryMs, look);
  signal.addEventListener('abort', () => cancel(), { once: true });
}

export function v8Heap(): Heap {
  const gc = collector();
  return {
    utilization: eventLoopMeter(),
    usedBytes: () => getHeapStatistics().used_heap_size,
    collect: () => gc({ type: 'major', execution: 'sync', flavor: 'last-resort' }),
    growBy: (percent) => setFlagsFromString(`--heap-growing-percent=${percent}`),
  };
}

type Collector = (options: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void;

/** V8's own collector: a context made while the flag is on has it. */
function collector(): Collector {
  setFlagsFromString('--expose-gc');
  try {
    return runInNewContext('gc') as Collector;
  } finally {
    setFlagsFromString('--no-expose-gc');
  }
}
