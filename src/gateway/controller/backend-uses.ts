import type { ServiceRef } from '#gateway/controller/ingress-rules.ts';

interface Use {
  readonly ref: ServiceRef;
  rules: number;
}

/** Which backends rules need, how many times, and the Service port behind each. */
export class BackendUses {
  readonly #uses = new Map<string, Use>();
  readonly #keysOf = new Map<string, Set<string>>();
  readonly #new = new Set<string>();
  readonly #unused = new Set<string>();

  add(key: string, ref: ServiceRef): void {
    const known = this.#uses.get(key);
    this.#unused.delete(key);
    if (known !== undefined) {
      known.rules++;
      return;
    }
    this.#uses.set(key, { ref, rules: 1 });
    this.#new.add(key);
    const service = nameOf(ref);
    const keys = this.#keysOf.get(service) ?? new Set();
    this.#keysOf.set(service, keys.add(key));
  }

  /** One rule fewer needs it. It stays until it is deleted. */
  drop(key: string): void {
    const use = this.#uses.get(key);
    if (use !== undefined && --use.rules === 0) this.#unused.add(key);
  }

  delete(key: string): void {
    const use = this.#uses.get(key);
    if (use === undefined) return;
    this.#uses.delete(key);
    this.#new.delete(key);
    this.#unused.delete(key);
    const service = nameOf(use.ref);
    const keys = this.#keysOf.get(service);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysOf.delete(service);
  }

  /** Those of a Service (`namespace/name`). */
  *of(service: string): Iterable<readonly [key: string, ref: ServiceRef]> {
    for (const key of this.#keysOf.get(service) ?? []) yield this.#entry(key);
  }

  /** Those added since the last call. */
  takeNew(): (readonly [key: string, ref: ServiceRef])[] {
    const result = [...this.#new].map((key) => this.#entry(key));
    this.#new.clear();
    return result;
  }

  /** Those that no rule needs. */
  unused(): (readonly [key: string, ref: ServiceRef])[] {
    return [...this.#unused].map((key) => this.#entry(key));
  }

  #entry(key: string): readonly [string, ServiceRef] {
    return [key, (this.#uses.get(key) as Use).ref];
  }
}

function nameOf({ namespace, name }: ServiceRef): string {
  return `${namespace}/${name}`;
}
