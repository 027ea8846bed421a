import { configMaps, type ConfigMap } from '#apis/core/v1/config-map.ts';
import { systemNamespace } from '#apis/dormouse/names.ts';
import { ConfigError, readConfig, type ConfigOf } from '#apis/serving/config/config-map.ts';
import { readConfigMap } from '#apis/serving/config/checks.ts';
import { configTables } from '#apis/serving/config/tables.ts';
import type { Informer } from '#client/informer-types.ts';
import type { ControllerContext } from '#controller/controller.ts';
import type { Logger } from '#core/logger.ts';

type Tables = typeof configTables;

/**
 * The live `config-*` ConfigMaps, read by their tables. A map that cannot be read keeps its last good values (its webhook
 * refuses such a write; this is for maps that were there before).
 */
export class ConfigStore {
  readonly #informer: Informer<ConfigMap>;
  readonly #logger: Logger;
  readonly #cache = new Map<string, { version: string; values: unknown }>();

  constructor({ informers, logger }: ControllerContext) {
    this.#informer = informers.of(configMaps, { namespace: systemNamespace });
    this.#logger = logger;
  }

  get<N extends keyof Tables>(name: N): ConfigOf<Tables[N]> {
    const map = this.#informer.get(systemNamespace, name);
    const version = map?.metadata.resourceVersion ?? '';
    const cached = this.#cache.get(name);
    if (cached?.version === version) return cached.values as ConfigOf<Tables[N]>;
    const values = this.#read(name, map?.data, cached?.values);
    this.#cache.set(name, { version, values });
    return values as ConfigOf<Tables[N]>;
  }

  /** The raw data of any ConfigMap of the system namespace. */
  data(name: string): Readonly<Record<string, string>> {
    return this.#informer.get(systemNamespace, name)?.data ?? {};
  }

  /** Calls back when one of the named maps changes. */
  onChange(names: readonly string[], changed: () => void): () => void {
    return this.#informer.on(({ object }) => {
      if (names.includes(object.metadata.name ?? '')) changed();
    });
  }

  #read(name: keyof Tables, data: Readonly<Record<string, string>> | undefined, last: unknown): unknown {
    try {
      return readConfigMap(name, data);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#logger.error('configuration map cannot be used', { name, error: error.message });
      return last ?? readConfig(configTables[name], undefined);
    }
  }
}
