import type { Column, KindVersion } from '#apis/definition.ts';
import type { KubeObject, ListMeta } from '#apis/meta/object.ts';
import { columnCell } from '#machinery/json-path.ts';
import { timeSince } from '#apis/meta/human-duration.ts';

export type Cell = string | number | boolean | null;
/** What a row carries besides its cells (`includeObject`). */
export type RowObject = 'None' | 'Metadata' | 'Object';

interface CompiledColumn {
  readonly definition: Readonly<Record<string, unknown>>;
  readonly cell: (object: KubeObject, now: number) => Cell;
}

const nameColumn = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name must be unique within a namespace.',
  priority: 0,
};
const ageColumn: Column = { name: 'Age', type: 'date', value: '.metadata.creationTimestamp' };

const compiledTables = new WeakMap<KindVersion, Table>();

/** The columns of one kind version, ready to make rows; NAME first unless they have a Name of their own. Compiled once for each version. */
export class Table {
  readonly #columns: readonly CompiledColumn[];

  private constructor(version: KindVersion) {
    const columns = (version.columns ?? [ageColumn]).map(compile);
    const named = version.columns?.some(({ name }) => name === 'Name') === true;
    this.#columns = named ? columns : [{ definition: nameColumn, cell: ({ metadata }) => metadata.name ?? '' }, ...columns];
  }

  static of(version: KindVersion): Table {
    let table = compiledTables.get(version);
    if (table === undefined) {
      table = new Table(version);
      compiledTables.set(version, table);
    }
    return table;
  }

  get columnDefinitions(): readonly unknown[] {
    return this.#columns.map((column) => column.definition);
  }

  /** JSON of a row. Rows are encoded one by one, so that a long list is never a tree in memory. */
  row(object: KubeObject, metaVersion: string, include: RowObject, now: number): string {
    const cells = this.#columns.map((column) => safeCell(column, object, now));
    const head = `{"cells":${JSON.stringify(cells)},"object":`;
    if (include === 'None') return `${head}null}`;
    const shown = include === 'Object' ? object : partialMetadata(object, metaVersion);
    return `${head}${JSON.stringify(shown)}}`;
  }

  /** Everything of a Table up to and with the opening bracket of its rows; `]}` closes it. */
  head(metaVersion: string, metadata: ListMeta, withColumns: boolean): string {
    const columns = JSON.stringify(withColumns ? this.columnDefinitions : null);
    return `{"kind":"Table","apiVersion":"meta.k8s.io/${metaVersion}","metadata":${JSON.stringify(metadata)},"columnDefinitions":${columns},"rows":[`;
  }
}

/** The metadata of an object as a meta.k8s.io PartialObjectMetadata. */
export function partialMetadata(object: KubeObject, metaVersion: string): KubeObject {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${metaVersion}`, metadata: object.metadata };
}

function compile(column: Column): CompiledColumn {
  const definition = {
    name: column.name,
    type: column.type,
    format: column.format ?? '',
    description: column.description ?? '',
    priority: column.priority ?? 0,
  };
  if (typeof column.value === 'function') {
    return { definition, cell: column.value as (object: KubeObject, now: number) => Cell };
  }
  const read = columnCell(column.value);
  if (column.type !== 'date') return { definition, cell: (object) => read(object) as Cell };
  return { definition, cell: (object, now) => dateCell(read(object) as Cell, now) };
}

/** As kube-apiserver: the age of a date, nothing where there is none. */
function dateCell(value: Cell, now: number): Cell {
  return typeof value === 'string' ? timeSince(value, now) : value;
}

/** A cell of an object that does not look as expected stays empty; one odd object must not break a list. */
function safeCell(column: CompiledColumn, object: KubeObject, now: number): Cell {
  try {
    return column.cell(object, now);
  } catch {
    return '<error>';
  }
}
