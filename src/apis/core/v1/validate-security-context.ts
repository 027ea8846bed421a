import type { PodSecurityContext, SecurityContext } from '#apis/core/v1/security-context.ts';
import { fieldForbidden, fieldInvalid, fieldRequired, type FieldError } from '#apis/meta/field-error.ts';
import { each, inRange, type Errors } from '#apis/meta/validation.ts';

const maxId = 2 ** 31 - 1;

/** A context is not part of messages as a whole: it would be longer than the rest. */
export function validateSecurityContext(context: SecurityContext, at: string): Errors {
  const errors: FieldError[] = [
    ...inRange(`${at}.runAsUser`, context.runAsUser, 0, maxId),
    ...inRange(`${at}.runAsGroup`, context.runAsGroup, 0, maxId),
    ...profileErrors(context.seccompProfile, `${at}.seccompProfile`, 'seccomp type is Localhost'),
    ...profileErrors(context.appArmorProfile, `${at}.appArmorProfile`, 'AppArmor type is Localhost'),
  ];
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged === true) {
      errors.push(fieldInvalid(at, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'));
    }
    if (context.capabilities?.add?.some((one) => one === 'CAP_SYS_ADMIN' || one === 'SYS_ADMIN') === true) {
      errors.push(fieldInvalid(at, context, 'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN'));
    }
  }
  return errors;
}

export function validatePodSecurityContext(context: PodSecurityContext, at: string): Errors {
  const names = new Set<string>();
  return [
    ...inRange(`${at}.runAsUser`, context.runAsUser, 0, maxId),
    ...inRange(`${at}.runAsGroup`, context.runAsGroup, 0, maxId),
    ...inRange(`${at}.fsGroup`, context.fsGroup, 0, maxId),
    ...each(context.supplementalGroups, `${at}.supplementalGroups`, (group, field) => inRange(field, group, 0, maxId)),
    ...profileErrors(context.seccompProfile, `${at}.seccompProfile`, 'seccomp type is Localhost'),
    ...profileErrors(context.appArmorProfile, `${at}.appArmorProfile`, 'AppArmor type is Localhost'),
    ...each(context.sysctls, `${at}.sysctls`, ({ name }, field) => sysctlErrors(name, `${field}.name`, names)),
  ];
}

interface Profile {
  readonly type: string;
  readonly localhostProfile?: string;
}

function profileErrors(profile: Profile | undefined, at: string, when: string): Errors {
  if (profile === undefined) return [];
  const { type, localhostProfile } = profile;
  if (type === 'Localhost' && (localhostProfile ?? '') === '') return [fieldRequired(`${at}.localhostProfile`, `must be set when ${when}`)];
  if (type === 'Localhost' || localhostProfile === undefined) return [];
  return [fieldForbidden(`${at}.localhostProfile`, `can only be set when ${when}`)];
}

const sysctlPattern = '([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const sysctlExpression = new RegExp(`^${sysctlPattern}$`);

function sysctlErrors(name: string, field: string, names: Set<string>): Errors {
  if (name === '') return [fieldRequired(field)];
  if (name.length > 253 || !sysctlExpression.test(name)) {
    return [fieldInvalid(field, name, `must have at most 253 characters and match regex ^${sysctlPattern}$`)];
  }
  if (names.has(name)) return [{ type: 'FieldValueDuplicate', field, message: `Duplicate value: ${JSON.stringify(name)}` }];
  names.add(name);
  return [];
}
