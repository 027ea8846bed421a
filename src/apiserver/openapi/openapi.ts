import { createHash } from 'node:crypto';
import type { SubresourceRegistry } from '#apiserver/discovery/subresources.ts';
import { openApiDocument } from '#apiserver/openapi/document.ts';
import type { KindRegistry } from '#apiserver/registry/kind-registry.ts';
import type { ApiResponse } from '#apiserver/request.ts';

const root = '/openapi/v3';

/** OpenAPI v3: an index with a hash for each group version, and the documents, built when first asked for and kept. */
export class OpenApi {
  readonly #registry: KindRegistry;
  readonly #subresources: SubresourceRegistry;
  readonly #documents = new Map<string, string>();
  #revision = -1;

  constructor(registry: KindRegistry, subresources: SubresourceRegistry) {
    this.#registry = registry;
    this.#subresources = subresources;
  }

  /** Undefined for paths that are none of OpenAPI v3's. */
  answer(path: string): ApiResponse | undefined {
    if (path !== root && !path.startsWith(`${root}/`)) return undefined;
    if (this.#revision !== this.#registry.revision) {
      this.#documents.clear();
      this.#revision = this.#registry.revision;
    }
    const text = path === root ? this.#index() : this.#document(path.slice(root.length + 1));
    if (text === undefined) return undefined;
    return { status: 200, headers: { vary: 'Accept' }, body: { kind: 'text', text, contentType: 'application/json' } };
  }

  /** The hash is that of what the document is made from, so that the index does not have to build them all. */
  #index(): string {
    const paths: Record<string, unknown> = {};
    for (const { name, versions } of this.#registry.groups()) {
      for (const version of versions) {
        const path = name === '' ? `api/${version}` : `apis/${name}/${version}`;
        const kinds = this.#registry.served(name, version).map(({ definition, version: at }) => [definition.plural, at.schema]);
        const hash = createHash('sha256').update(JSON.stringify(kinds)).digest('hex').toUpperCase();
        paths[path] = { serverRelativeURL: `${root}/${path}?hash=${hash}` };
      }
    }
    return JSON.stringify({ paths });
  }

  #document(path: string): string | undefined {
    const known = this.#documents.get(path);
    if (known !== undefined) return known;
    const [kind, ...rest] = path.split('/');
    const [group, version] = kind === 'api' ? ['', rest[0]] : [rest[0], rest[1]];
    if (group === undefined || version === undefined || rest.length !== (kind === 'api' ? 1 : 2)) return undefined;
    const kinds = this.#registry.served(group, version);
    if (kinds.length === 0) return undefined;
    const text = JSON.stringify(openApiDocument(group, version, kinds, this.#subresources));
    this.#documents.set(path, text);
    return text;
  }
}
