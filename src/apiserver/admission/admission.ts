import type { UserInfo } from '#apis/definition.ts';
import type { KubeObject } from '#apis/meta/object.ts';
import type { ServedKind } from '#apiserver/registry/kind-registry.ts';

export type AdmissionOperation = 'create' | 'update' | 'delete';

/** One write on its way in. Plug-ins may change `object` in `admit`, and only there. */
export interface AdmissionRequest {
  readonly operation: AdmissionOperation;
  readonly served: ServedKind;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  /** RFC 3339, whole seconds. */
  readonly now: string;
  /** The object to be written, a private copy; on delete the stored object, frozen. */
  readonly object: KubeObject;
  /** The stored object, on update. */
  readonly old: KubeObject | undefined;
  warn(message: string): void;
  /** For who has put into `object` what a client might send: prunes it and fills defaults again. Absent on delete. */
  readonly complete?: () => void;
  /** Called once the write has ended either way, to give back what was reserved for it. */
  onSettled(release: (written: boolean) => void): void;
}

/** One concern of admission. Refuses by throwing a StatusError. */
export interface AdmissionPlugin {
  readonly name: string;
  /** Changes the object. Runs before validation. */
  admit?(request: AdmissionRequest): void | Promise<void>;
  /** Looks at the final, valid object. */
  check?(request: AdmissionRequest): void | Promise<void>;
}

/** Runs the plug-ins in the order given. */
export class AdmissionChain {
  readonly #plugins: AdmissionPlugin[];

  constructor(plugins: readonly AdmissionPlugin[]) {
    this.#plugins = [...plugins];
  }

  add(plugin: AdmissionPlugin): void {
    this.#plugins.push(plugin);
  }

  async admit(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) await plugin.admit?.(request);
  }

  async check(request: AdmissionRequest): Promise<void> {
    for (const plugin of this.#plugins) await plugin.check?.(request);
  }
}
