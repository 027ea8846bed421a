import { annotations, labels, revisionName } from '#apis/serving/names.ts';
import { configurations } from '#apis/serving/v1/kinds.ts';
import type { Configuration, Revision, RevisionSpec } from '#apis/serving/v1/schemas.ts';
import { controllerReference } from '#controller/owner.ts';

/** The revision of a configuration's present generation; `now` is an RFC 3339 time. */
export function makeRevision(configuration: Configuration, now: string): Revision {
  const { name = '', namespace = '', uid = '', generation = 0 } = configuration.metadata;
  const template = configuration.spec?.template ?? {};
  const service = configuration.metadata.labels?.[labels.service];
  const serviceUid = configuration.metadata.labels?.[labels.serviceUid];
  // Whoever changed the configuration last is the one who made this revision.
  const creator =
    configuration.metadata.annotations?.[annotations.lastModifier] ?? configuration.metadata.annotations?.[annotations.creator];
  const brought = template.metadata?.name ?? '';
  return {
    metadata: {
      name: brought === '' ? revisionName(name, generation) : brought,
      namespace,
      labels: {
        ...template.metadata?.labels,
        [labels.configuration]: name,
        [labels.configurationGeneration]: String(generation),
        [labels.configurationUid]: uid,
        ...(service === undefined ? {} : { [labels.service]: service }),
        ...(serviceUid === undefined ? {} : { [labels.serviceUid]: serviceUid }),
        [labels.routingState]: 'pending',
      },
      annotations: {
        ...template.metadata?.annotations,
        ...(creator === undefined ? {} : { [annotations.creator]: creator }),
        [annotations.routingStateModified]: now,
      },
      ownerReferences: [controllerReference(configuration, configurations)],
    },
    spec: template.spec ?? ({} as RevisionSpec),
  };
}
