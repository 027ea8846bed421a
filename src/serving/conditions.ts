import { ConditionSet } from '#controller/conditions.ts';

/** Which conditions each kind's Ready depends on (serving.md §1.4). */
export const serviceConditions = new ConditionSet(['ConfigurationsReady', 'RoutesReady']);
export const configurationConditions = new ConditionSet([]);
export const routeConditions = new ConditionSet(['AllTrafficAssigned', 'IngressReady', 'CertificateProvisioned']);
export const revisionConditions = new ConditionSet(['ResourcesAvailable', 'ContainerHealthy']);
export const domainMappingConditions = new ConditionSet(['DomainClaimed', 'ReferenceResolved', 'IngressReady', 'CertificateProvisioned']);
export const serverlessServiceConditions = new ConditionSet(['EndpointsPopulated']);
export const certificateConditions = new ConditionSet([]);

/** Go's `%q` for the names conditions quote. */
export const quoted = (text: string): string => JSON.stringify(text);
