import { join } from 'node:path';
import { JsonFile, readJsonFile } from './json-file.ts';

type Document = Record<string, readonly string[]>;

/** Who needs which image. Survives the process, because containers do. */
export class Holds {
  readonly #holders: Map<string, Set<string>>;
  readonly #file: JsonFile<Document>;

  private constructor(path: string, document: Document) {
    this.#holders = new Map(Object.entries(document).map(([holder, digests]) => [holder, new Set(digests)]));
    this.#file = new JsonFile(path, () => Object.fromEntries([...this.#holders].map(([holder, digests]) => [holder, [...digests]])), {
      durable: false,
    });
  }

  static async open(directory: string): Promise<Holds> {
    const path = join(directory, 'holds.json');
    return new Holds(path, (await readJsonFile<Document>(path)) ?? {});
  }

  digests(): ReadonlySet<string> {
    return new Set([...this.#holders.values()].flatMap((digests) => [...digests]));
  }

  async hold(digest: string, holder: string): Promise<void> {
    const digests = this.#holders.get(holder) ?? new Set();
    if (digests.has(digest)) return;
    digests.add(digest);
    this.#holders.set(holder, digests);
    await this.#file.write();
  }

  async release(holder: string): Promise<void> {
    if (this.#holders.delete(holder)) await this.#file.write();
  }
}
