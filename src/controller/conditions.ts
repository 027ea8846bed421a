import type { KnativeCondition, KnativeStatus } from '#apis/knative/status.ts';
import type { Condition } from '#apis/meta/object.ts';
import { rfc3339, type Clock } from '#core/clock.ts';

export type ConditionStatus = 'True' | 'False' | 'Unknown';

/** The clock's time as conditions and metadata carry it: RFC 3339, whole seconds. */
export function timestamp(clock: Clock): string {
  return rfc3339(clock.now());
}

/**
 * The conditions of a kind whose `happy` condition (Ready) follows from its dependents, by the rules of Knative's living
 * condition sets. Conditions that are no dependents are informational: severity `Info`, no influence on happy.
 */
export class ConditionSet {
  readonly happy: string;
  readonly dependents: readonly string[];

  constructor(dependents: readonly string[], happy = 'Ready') {
    this.happy = happy;
    this.dependents = dependents;
  }

  /** Works on `status.conditions`; `now` is the RFC 3339 time for conditions that change. */
  manage(status: KnativeStatus, now: string): ConditionManager {
    return new ConditionManager(this, status, now);
  }
}

export class ConditionManager {
  readonly #set: ConditionSet;
  readonly #status: KnativeStatus;
  readonly #now: string;
  /** Types changed through this manager, oldest first: finer than the whole seconds of lastTransitionTime. */
  #changed: string[] = [];

  constructor(set: ConditionSet, status: KnativeStatus, now: string) {
    this.#set = set;
    this.#status = status;
    this.#now = now;
  }

  get(type: string): KnativeCondition | undefined {
    return this.#status.conditions?.find((condition) => condition.type === type);
  }

  /** Happy is True. Whether it is about the newest spec is for observedGeneration to say. */
  get isHappy(): boolean {
    return this.get(this.#set.happy)?.status === 'True';
  }

  /** Adds what is missing of happy and its dependents: Unknown, or True where happy is True already. */
  initialize(): void {
    if (this.get(this.#set.happy) === undefined) this.#put(this.#set.happy, 'Unknown', '', '');
    const status = this.isHappy ? 'True' : 'Unknown';
    for (const type of this.#set.dependents) if (this.get(type) === undefined) this.#put(type, status, '', '');
  }

  /** Happy becomes what the dependents make of it: the latest False, else the latest Unknown, else True. */
  markTrue(type: string, reason = '', message = ''): void {
    this.#put(type, 'True', reason, message);
    const unhappy = this.#unhappyDependent();
    if (unhappy !== undefined) this.#put(this.#set.happy, unhappy.status, unhappy.reason, unhappy.message);
    else if (type !== this.#set.happy) this.#put(this.#set.happy, 'True', '', '');
  }

  /** A False dependent makes happy False, for the same reason. */
  markFalse(type: string, reason: string, message: string): void {
    this.#put(type, 'False', reason, message);
    if (this.#isDependent(type)) this.#put(this.#set.happy, 'False', reason, message);
  }

  /** An Unknown dependent makes happy Unknown, unless another dependent is False: failure trumps not knowing. */
  markUnknown(type: string, reason: string, message: string): void {
    this.#put(type, 'Unknown', reason, message);
    if (this.#set.dependents.some((dependent) => this.get(dependent)?.status === 'False')) {
      if (this.get(this.#set.happy)?.status !== 'False') this.#put(this.#set.happy, 'False', reason, message);
    } else if (this.#isDependent(type)) {
      this.#put(this.#set.happy, 'Unknown', reason, message);
    }
  }

  /** Sets `type` (one of this set's) to what another object's condition says; a missing one is Unknown. */
  propagate(type: string, from: KnativeCondition | undefined): void {
    const { status = 'Unknown', reason = '', message = '' } = from ?? {};
    if (status === 'True') this.markTrue(type, reason, message);
    else if (status === 'False') this.markFalse(type, reason, message);
    else this.markUnknown(type, reason, message);
  }

  /** Takes an informational condition away; happy and its dependents always stay. */
  clear(type: string): void {
    if (type === this.#set.happy || this.#isDependent(type)) throw new Error(`condition ${type} cannot be cleared`);
    if (this.get(type) === undefined) return;
    this.#status.conditions = (this.#status.conditions ?? []).filter((condition) => condition.type !== type);
  }

  #isDependent(type: string): boolean {
    return this.#set.dependents.includes(type);
  }

  #unhappyDependent(): { status: ConditionStatus; reason: string; message: string } | undefined {
    const known = this.#set.dependents.map((type) => this.get(type)).filter((condition) => condition !== undefined);
    const latestFirst = known.toSorted(
      (a, b) => this.#ageOrder(b) - this.#ageOrder(a) || compare(b.lastTransitionTime, a.lastTransitionTime),
    );
    const unhappy = latestFirst.find(({ status }) => status === 'False') ?? latestFirst.find(({ status }) => status !== 'True');
    if (unhappy !== undefined) {
      const { reason = '', message = '' } = unhappy;
      return { status: unhappy.status === 'False' ? 'False' : 'Unknown', reason, message };
    }
    return known.length < this.#set.dependents.length ? { status: 'Unknown', reason: '', message: '' } : undefined;
  }

  #ageOrder(condition: KnativeCondition): number {
    return this.#changed.indexOf(condition.type);
  }

  #put(type: string, status: ConditionStatus, reason: string, message: string): void {
    const counts = type === this.#set.happy || this.#isDependent(type);
    const content = {
      type,
      status,
      ...(counts ? {} : { severity: 'Info' }),
      ...(reason === '' ? {} : { reason }),
      ...(message === '' ? {} : { message }),
    };
    const old = this.get(type);
    if (old !== undefined && sameContent(old, content)) return;
    const others = (this.#status.conditions ?? []).filter((condition) => condition.type !== type);
    this.#status.conditions = [...others, { ...content, lastTransitionTime: this.#now }].sort((a, b) => compare(a.type, b.type));
    this.#changed = [...this.#changed.filter((other) => other !== type), type];
  }
}

function sameContent(a: KnativeCondition, b: KnativeCondition): boolean {
  const same = (field: 'severity' | 'reason' | 'message') => (a[field] ?? '') === (b[field] ?? '');
  return a.status === b.status && same('severity') && same('reason') && same('message');
}

function compare(a = '', b = ''): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

/**
 * The conditions with `condition` put in, as meta.SetStatusCondition does it for Kubernetes' own kinds: lastTransitionTime
 * changes with the status alone, order stays, new ones go last.
 */
export function withCondition<C extends Condition = Condition>(
  conditions: readonly C[] | undefined,
  condition: NoInfer<Omit<C, 'lastTransitionTime'>>,
  now: string,
): C[] {
  const old = conditions?.find(({ type }) => type === condition.type);
  const lastTransitionTime = old?.status === condition.status ? (old.lastTransitionTime ?? now) : now;
  const next = { ...old, ...condition, lastTransitionTime } as C;
  if (old === undefined) return [...(conditions ?? []), next];
  return (conditions ?? []).map((other) => (other === old ? next : other));
}

export function withoutCondition<C extends Condition>(conditions: readonly C[] | undefined, type: string): C[] {
  return (conditions ?? []).filter((condition) => condition.type !== type);
}
