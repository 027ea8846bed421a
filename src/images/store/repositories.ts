import { join } from 'node:path';
import type { ImageOrigin } from '../messages.ts';
import { JsonFile, readJsonFile } from './json-file.ts';

export interface TagEntry {
  readonly digest: string;
  readonly origin: ImageOrigin;
  /** Milliseconds since the epoch. */
  readonly taggedAt: number;
}

export interface NamedTag extends TagEntry {
  readonly repository: string;
  readonly tag: string;
}

interface Repository {
  readonly tags: Map<string, TagEntry>;
  /** Manifests put here by digest or by a tag that has moved on: digest → when. */
  readonly manifests: Map<string, number>;
}

type Document = Record<string, { tags: Record<string, TagEntry>; manifests: Record<string, number> }>;

/** Which names stand for which digests, in memory and in one file. A change is on disk when its promise resolves. */
export class Repositories {
  readonly #repositories: Map<string, Repository>;
  readonly #file: JsonFile<Document>;

  private constructor(path: string, document: Document) {
    this.#repositories = new Map(
      Object.entries(document).map(([name, { tags, manifests }]) => [
        name,
        { tags: new Map(Object.entries(tags)), manifests: new Map(Object.entries(manifests)) },
      ]),
    );
    this.#file = new JsonFile(path, () => this.#document(), { durable: true });
  }

  static async open(directory: string): Promise<Repositories> {
    const path = join(directory, 'names.json');
    return new Repositories(path, (await readJsonFile<Document>(path)) ?? {});
  }

  tag(repository: string, tag: string): TagEntry | undefined {
    return this.#repositories.get(repository)?.tags.get(tag);
  }

  /** True when the repository knows this manifest, by a tag or by its digest alone. */
  hasManifest(repository: string, digest: string): boolean {
    const found = this.#repositories.get(repository);
    return found !== undefined && (found.manifests.has(digest) || [...found.tags.values()].some((entry) => entry.digest === digest));
  }

  /** Sorted; repositories without any tag or manifest do not exist. */
  names(): readonly string[] {
    return [...this.#repositories.keys()].sort();
  }

  /** Sorted tags, or undefined where the repository does not exist. */
  tags(repository: string): readonly string[] | undefined {
    const found = this.#repositories.get(repository);
    return found === undefined ? undefined : [...found.tags.keys()].sort();
  }

  *allTags(): Generator<NamedTag> {
    for (const [repository, { tags }] of this.#repositories) {
      for (const [tag, entry] of tags) yield { repository, tag, ...entry };
    }
  }

  /** Digests a repository keeps without a tag, with the time they came. */
  *allManifests(): Generator<{ readonly repository: string; readonly digest: string; readonly at: number }> {
    for (const [repository, { manifests }] of this.#repositories) {
      for (const [digest, at] of manifests) yield { repository, digest, at };
    }
  }

  manifestsOf(repository: string): readonly string[] {
    const found = this.#repositories.get(repository);
    return found === undefined ? [] : [...new Set([...found.manifests.keys(), ...[...found.tags.values()].map((entry) => entry.digest)])];
  }

  async setTag(repository: string, tag: string, entry: TagEntry): Promise<void> {
    const target = this.#get(repository);
    target.tags.set(tag, entry);
    target.manifests.set(entry.digest, entry.taggedAt);
    await this.#file.write();
  }

  async addManifest(repository: string, digest: string, at: number): Promise<void> {
    this.#get(repository).manifests.set(digest, at);
    await this.#file.write();
  }

  /** False when there was no such tag. The manifest goes with its last tag unless it was also put by digest elsewhere. */
  async removeTag(repository: string, tag: string): Promise<boolean> {
    const found = this.#repositories.get(repository);
    if (!(found?.tags.delete(tag) ?? false)) return false;
    this.#dropEmpty(repository);
    await this.#file.write();
    return true;
  }

  /** Forgets a manifest and every tag of the repository on it; false when unknown. */
  async removeManifest(repository: string, digest: string): Promise<boolean> {
    const found = this.#repositories.get(repository);
    if (found === undefined || !this.hasManifest(repository, digest)) return false;
    found.manifests.delete(digest);
    for (const [tag, entry] of found.tags) if (entry.digest === digest) found.tags.delete(tag);
    this.#dropEmpty(repository);
    await this.#file.write();
    return true;
  }

  #dropEmpty(name: string): void {
    const found = this.#repositories.get(name);
    if (found?.tags.size === 0 && found.manifests.size === 0) this.#repositories.delete(name);
  }

  #get(name: string): Repository {
    const existing = this.#repositories.get(name);
    if (existing !== undefined) return existing;
    const fresh: Repository = { tags: new Map(), manifests: new Map() };
    this.#repositories.set(name, fresh);
    return fresh;
  }

  #document(): Document {
    return Object.fromEntries(
      [...this.#repositories].map(([name, { tags, manifests }]) => [
        name,
        { tags: Object.fromEntries(tags), manifests: Object.fromEntries(manifests) },
      ]),
    );
  }
}
