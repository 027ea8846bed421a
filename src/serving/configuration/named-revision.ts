import { labels } from '#apis/serving/names.ts';
import type { Configuration, Revision } from '#apis/serving/v1/schemas.ts';
import type { Lister } from '#client/informer-types.ts';
import { isControlledBy } from '#controller/owner.ts';
import { semanticEqual } from '#machinery/semantic-equality.ts';

/**
 * The revision whose name the configuration's template brings: `unnamed` when it brings none, `missing` when it has to be
 * created, `taken` when the name belongs to another configuration or to another template, else the revision.
 */
export function findNamedRevision(configuration: Configuration, revisions: Lister<Revision>): Revision | 'unnamed' | 'missing' | 'taken' {
  const name = configuration.spec?.template?.metadata?.name ?? '';
  if (name === '') return 'unnamed';
  const revision = revisions.get(configuration.metadata.namespace, name);
  if (revision === undefined) return 'missing';
  if (!isControlledBy(revision, configuration)) return 'taken';
  if (revision.metadata.labels?.[labels.configurationGeneration] === String(configuration.metadata.generation)) return revision;
  // Metadata of the template may differ: only what runs counts.
  return semanticEqual(configuration.spec?.template?.spec, revision.spec) ? revision : 'taken';
}
