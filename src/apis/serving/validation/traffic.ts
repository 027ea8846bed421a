import {
  disallowedFields,
  generic,
  invalidKeyName,
  invalidValue,
  missingOneOf,
  multipleOneOf,
  outOfBounds,
  viaIndex,
  type Finding,
} from '#apis/knative/field-error.ts';
import { checkDns1035Label, checkQualifiedName } from '#apis/meta/names.ts';
import type { TrafficTarget } from '#apis/serving/v1/schemas.ts';

/** Findings about spec.traffic of a Route, or of a Service (where the configuration is implied). */
export function validateTraffic(traffic: readonly TrafficTarget[], inService: boolean): Finding[] {
  const findings: Finding[] = [];
  const tags = new Map<string, number>();
  for (const [index, target] of traffic.entries()) {
    findings.push(...viaIndex('traffic', index, validateTarget(target, inService)));
    const tag = target.tag ?? '';
    if (tag === '') continue;
    const problems = checkDns1035Label(tag);
    if (problems.length > 0) findings.push(invalidValue(`not a DNS 1035 label: [${problems.join(' ')}]`, `traffic.tag[${index}]`));
    const first = tags.get(tag);
    if (first === undefined) tags.set(tag, index);
    else findings.push(generic(`Multiple definitions for ${JSON.stringify(tag)}`, `traffic[${index}].tag`, `traffic[${first}].tag`));
  }
  const sum = traffic.reduce((total, { percent = 0 }) => total + percent, 0);
  if (sum !== 100) findings.push(generic(`Traffic targets sum to ${sum}, want 100`, 'traffic'));
  return findings;
}

function validateTarget(target: TrafficTarget, inService: boolean): Finding[] {
  const { revisionName = '', configurationName = '', latestRevision, percent, url = '' } = target;
  const findings: Finding[] = [];
  if (latestRevision !== undefined && (revisionName !== '') === latestRevision) {
    findings.push(
      generic(`may not set revisionName ${JSON.stringify(revisionName)} when latestRevision is ${latestRevision}`, 'latestRevision'),
    );
  }
  if (inService && configurationName !== '') findings.push(disallowedFields('configurationName'));
  else if (revisionName !== '' && configurationName !== '') findings.push(multipleOneOf('revisionName', 'configurationName'));
  else if (revisionName !== '') findings.push(...checkName(revisionName, 'revisionName'));
  else if (configurationName !== '') findings.push(...checkName(configurationName, 'configurationName'));
  else if (!inService) findings.push(missingOneOf('revisionName', 'configurationName'));
  if (percent !== undefined && (percent < 0 || percent > 100)) findings.push(outOfBounds(percent, 0, 100, 'percent'));
  if (url !== '') findings.push(disallowedFields('url'));
  return findings;
}

function checkName(name: string, field: string): Finding[] {
  const problems = checkQualifiedName(name);
  return problems.length === 0 ? [] : [invalidKeyName(name, field, ...problems)];
}
