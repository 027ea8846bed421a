import type { Container, PodSpec } from '#apis/core/v1/pod.ts';
import { setPodSpecDefaults } from '#apis/core/v1/pod-defaults.ts';
import { validatePodSpec } from '#apis/core/v1/validate-pod-spec.ts';
import { deniedWith } from '#apis/knative/field-error.ts';
import { invalid } from '#apis/meta/field-error.ts';
import type { RevisionTemplate } from '#apis/serving/v1/schemas.ts';

const sampleName = 'dry-run-validation';

/**
 * What a server-side dry run of a template asks for besides its own rules: whether a pod of it would be accepted. Throws as
 * Knative's webhook does, which makes that pod in a dry run.
 */
export function checkSamplePod(template: RevisionTemplate | undefined, webhook: string): void {
  if (template?.spec === undefined) return;
  const errors = validatePodSpec(samplePodSpec(template.spec), 'spec');
  if (errors.length === 0) return;
  const { message } = invalid('', 'Pod', sampleName, errors);
  throw deniedWith(webhook, `validation callback failed: dry run failed with ${message}: spec.template`);
}

/** The template as a pod has it, without probes, whose ports a revision may leave open. */
function samplePodSpec(spec: NonNullable<RevisionTemplate['spec']>): PodSpec {
  const bare = ({ readinessProbe: _r, livenessProbe: _l, startupProbe: _s, ports, ...rest }: Container): Container => ({
    ...rest,
    terminationMessagePolicy: rest.terminationMessagePolicy ?? 'FallbackToLogsOnError',
    ...(ports === undefined ? {} : { ports: ports.map((port) => ({ ...port, protocol: port.protocol ?? 'TCP' })) }),
  });
  const sample = structuredClone({
    ...spec,
    containers: (spec.containers ?? []).map(bare),
    ...(spec.initContainers === undefined ? {} : { initContainers: spec.initContainers.map(bare) }),
    restartPolicy: 'Always',
    dnsPolicy: spec.dnsPolicy ?? 'ClusterFirst',
  }) as PodSpec;
  setPodSpecDefaults(sample);
  return sample;
}
