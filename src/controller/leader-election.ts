import { leases, type Lease } from '#apis/coordination/v1/lease.ts';
import { isReason } from '#apis/meta/status.ts';
import type { Client, ResourceClient } from '#client/client.ts';
import { sleep, type Clock } from '#core/clock.ts';
import { errorText } from '#core/errors.ts';
import type { Logger } from '#core/logger.ts';
import { deepClone } from '#machinery/deep.ts';

/** Others may take over this long after the last renewal they saw. */
const leaseDurationMs = 15_000;
/** A leader that could not renew for this long stops leading; shorter than the lease, so that two never lead. */
const renewDeadlineMs = 10_000;
const retryPeriodMs = 2000;

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly namespace: string;
  /** The lease's name: one for each thing of which only one may run. */
  readonly name: string;
  /** Unique among the candidates, and over restarts. */
  readonly identity: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random?: () => number;
  /** Whether a holder is known to be no more, so that its lease need not run out. Must be certain. */
  readonly isDead?: (identity: string) => boolean;
}

/**
 * Runs `lead` while this candidate holds the lease, as Kubernetes' leader election does. Its signal aborts when leadership is
 * lost or `signal` aborts; it is then awaited, the lease is given back, and (unless `signal` aborted) the candidate stands again.
 * Lease times of other candidates are never compared with our clock: what counts is how long we have seen no change.
 */
export async function runAsLeader(
  options: LeaderElectionOptions,
  signal: AbortSignal,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const candidate = new Candidate(options);
  while (!signal.aborted) {
    try {
      await candidate.acquire(signal);
    } catch (error) {
      if (signal.aborted) return;
      throw error;
    }
    const leading = new AbortController();
    const lost = candidate.hold(AbortSignal.any([signal, leading.signal]));
    void lost.then(() => leading.abort(new Error(`leadership of ${options.name} has ended`)));
    try {
      await lead(leading.signal);
      if (!leading.signal.aborted) return;
    } finally {
      leading.abort();
      await lost;
      await candidate.release();
    }
  }
}

class Candidate {
  readonly #options: Required<LeaderElectionOptions>;
  readonly #client: ResourceClient<Lease>;
  /** The lease as last seen changed, and when. */
  #seen: { readonly record: string; readonly atMs: number } | undefined;
  #holder = '';

  constructor(options: LeaderElectionOptions) {
    this.#options = { random: Math.random, isDead: () => false, ...options };
    this.#client = options.client.of(leases);
  }

  /** Resolves once this candidate holds the lease; rejects only when the signal aborts. */
  async acquire(signal: AbortSignal): Promise<void> {
    while (!(await this.#try())) {
      await sleep(this.#options.clock, retryPeriodMs * (1 + 0.2 * this.#options.random()), signal);
    }
    signal.throwIfAborted();
  }

  /** Renews until that has failed for too long or the signal aborts. */
  async hold(signal: AbortSignal): Promise<void> {
    const { clock, logger, name } = this.#options;
    let renewedMs = clock.monotonic();
    // A renewal that hangs must not outlive the deadline.
    while (!signal.aborted) {
      await sleep(clock, retryPeriodMs, signal).catch(() => {});
      if (signal.aborted) return;
      const askedMs = clock.monotonic();
      const late = sleep(clock, Math.max(0, renewedMs + renewDeadlineMs - askedMs), signal).then(
        () => false,
        () => false,
      );
      const renewed = await Promise.race([this.#try(), late]);
      if (renewed) renewedMs = askedMs;
      else if (clock.monotonic() - renewedMs >= renewDeadlineMs || this.#isTakenOver()) {
        if (!signal.aborted) logger.warn('leadership lost', { lease: name });
        return;
      }
    }
  }

  /** Gives the lease back, so that another need not wait for it to run out. Best effort. */
  async release(): Promise<void> {
    const { namespace, name, identity } = this.#options;
    try {
      const lease = await this.#client.get(namespace, name);
      if (lease.spec?.holderIdentity !== identity) return;
      const next = deepClone(lease);
      next.spec = { ...next.spec, holderIdentity: '', leaseDurationSeconds: 1, renewTime: this.#now() };
      await this.#client.update(next);
    } catch (error) {
      this.#options.logger.debug('lease not given back', { lease: name, error: errorText(error) });
    }
  }

  /** One attempt to take or renew the lease; false when somebody else holds it or the API cannot be reached. */
  async #try(): Promise<boolean> {
    const { namespace, name, identity, isDead, logger } = this.#options;
    try {
      const lease = await this.#client.get(namespace, name);
      this.#look(lease);
      const holder = lease.spec?.holderIdentity ?? '';
      if (holder !== '' && holder !== identity && !this.#hasRunOut(lease) && !isDead(holder)) return false;
      this.#look(await this.#client.update(this.#taken(lease)));
      return true;
    } catch (error) {
      if (isReason(error, 'NotFound')) return this.#create();
      if (!isReason(error, 'Conflict')) logger.debug('lease not acquired', { lease: name, error: errorText(error) });
      return false;
    }
  }

  async #create(): Promise<boolean> {
    const { namespace, name, identity, logger } = this.#options;
    const now = this.#now();
    const spec = {
      holderIdentity: identity,
      leaseDurationSeconds: leaseDurationMs / 1000,
      acquireTime: now,
      renewTime: now,
      leaseTransitions: 0,
    };
    try {
      this.#look(await this.#client.create({ metadata: { namespace, name }, spec }));
      return true;
    } catch (error) {
      logger.debug('lease not created', { lease: name, error: errorText(error) });
      return false;
    }
  }

  #taken(lease: Lease): Lease {
    const { identity } = this.#options;
    const next = deepClone(lease);
    const now = this.#now();
    const same = lease.spec?.holderIdentity === identity;
    next.spec = {
      ...next.spec,
      holderIdentity: identity,
      leaseDurationSeconds: leaseDurationMs / 1000,
      renewTime: now,
      ...(same ? {} : { acquireTime: now, leaseTransitions: (lease.spec?.leaseTransitions ?? 0) + 1 }),
    };
    return next;
  }

  #look(lease: Lease): void {
    const record = JSON.stringify([lease.metadata.uid, lease.spec?.holderIdentity, lease.spec?.renewTime, lease.spec?.leaseTransitions]);
    if (this.#seen?.record !== record) this.#seen = { record, atMs: this.#options.clock.monotonic() };
    this.#holder = lease.spec?.holderIdentity ?? '';
  }

  #isTakenOver(): boolean {
    return this.#holder !== '' && this.#holder !== this.#options.identity;
  }

  #hasRunOut(lease: Lease): boolean {
    const durationMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1000 || leaseDurationMs;
    return this.#seen !== undefined && this.#options.clock.monotonic() - this.#seen.atMs >= durationMs;
  }

  #now(): string {
    return new Date(this.#options.clock.now()).toISOString().replace('Z', '000Z');
  }
}
