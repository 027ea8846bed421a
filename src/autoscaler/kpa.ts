import type { ScalingSpec } from '#autoscaler/spec.ts';

/** What was measured for a revision at a tick. */
export interface Observation {
  /** Average over the stable window, of all pods together. */
  readonly stable: number;
  /** The same over the panic window. */
  readonly panic: number;
  /** Pods that are ready. */
  readonly readyPods: number;
  readonly nowMs: number;
}

export interface Decision {
  readonly desired: number;
  /** How many more requests the ready pods could take beyond the burst capacity; negative: not enough. */
  readonly excessBurstCapacity: number;
  readonly activators: number;
  readonly panicking: boolean;
}

/** What a scaler remembers from tick to tick. */
export interface ScalerState {
  panicSinceMs: number | undefined;
  maxPanicPods: number;
  /** Desired counts of the recent past, for the scale-down delay. */
  readonly delay: { readonly atMs: number; readonly pods: number }[];
}

const minActivators = 2;
const tickMs = 2000;

/** A new scaler that already finds several pods starts in panic, so that a restart never scales down by mistake. */
export function initialState(readyPods: number, nowMs: number): ScalerState {
  return readyPods > 1
    ? { panicSinceMs: nowMs, maxPanicPods: readyPods, delay: [] }
    : { panicSinceMs: undefined, maxPanicPods: 0, delay: [] };
}

/** One tick of Knative's pod autoscaler (serving.md §3.3); changes `state`. */
export function decide(spec: ScalingSpec, state: ScalerState, { stable, panic, readyPods, nowMs }: Observation): Decision {
  const ready = Math.max(1, readyPods);
  const maxUp = Math.ceil(spec.maxScaleUpRate * ready);
  const maxDown = spec.reachable ? Math.floor(ready / spec.maxScaleDownRate) : 0;
  const wantStable = Math.ceil(stable / spec.target);
  const wantPanic = Math.ceil(panic / spec.target);
  let desiredStable = clamp(wantStable, maxDown, maxUp);
  let desiredPanic = clamp(wantPanic, maxDown, maxUp);
  if (spec.activationScale > 1) {
    if (wantStable > 0 && desiredStable < spec.activationScale) desiredStable = spec.activationScale;
    if (wantPanic > 0 && desiredPanic < spec.activationScale) desiredPanic = spec.activationScale;
  }
  updatePanic(spec, state, wantPanic / ready >= spec.panicThreshold, nowMs);
  let desired = desiredStable;
  if (state.panicSinceMs !== undefined) {
    state.maxPanicPods = Math.max(state.maxPanicPods, desired, desiredPanic);
    desired = state.maxPanicPods;
  }
  if (spec.scaleDownDelayMs > 0 && spec.reachable) desired = delayed(spec, state, desired, nowMs);
  return {
    desired,
    excessBurstCapacity: excessBurstCapacity(spec, readyPods, panic),
    activators: activators(spec, readyPods),
    panicking: state.panicSinceMs !== undefined,
  };
}

function updatePanic(spec: ScalingSpec, state: ScalerState, overThreshold: boolean, nowMs: number): void {
  if (overThreshold) state.panicSinceMs = nowMs;
  else if (state.panicSinceMs !== undefined && state.panicSinceMs + spec.stableWindowMs < nowMs) {
    state.panicSinceMs = undefined;
    state.maxPanicPods = 0;
  }
}

/** The most pods wanted at any tick of the delay window. */
function delayed(spec: ScalingSpec, state: ScalerState, desired: number, nowMs: number): number {
  const bucket = Math.floor(nowMs / tickMs) * tickMs;
  while (state.delay[0] !== undefined && state.delay[0].atMs <= nowMs - spec.scaleDownDelayMs) state.delay.shift();
  state.delay.push({ atMs: bucket, pods: desired });
  return Math.max(...state.delay.map(({ pods }) => pods));
}

export function excessBurstCapacity(spec: ScalingSpec, readyPods: number, panic: number): number {
  if (spec.burstCapacity === 0) return 0;
  if (spec.burstCapacity < 0) return -1;
  return Math.floor(readyPods * spec.totalTarget - spec.burstCapacity - panic);
}

export function activators(spec: ScalingSpec, readyPods: number): number {
  if (spec.burstCapacity === 0) return minActivators;
  const load = readyPods * spec.totalTarget + Math.max(0, spec.burstCapacity);
  return Math.max(minActivators, Math.ceil(load / spec.activatorCapacity));
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}
