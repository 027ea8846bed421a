import { Optional } from '@marcbachmann/cel-js';
import type { CelFunction } from './cel-function.ts';
import { formatProblem } from './formats.ts';
import { checkDns1035Label, checkDns1123Label, checkDns1123Subdomain, checkLabelValue, checkQualifiedName } from '#apis/meta/names.ts';

type Check = (text: string) => readonly string[];

/** A prefix may end with the dash that a name may not end with: it is held against the rule with something behind it. */
const asPrefix =
  (check: Check): Check =>
  (text) =>
    check(text.endsWith('-') ? `${text.slice(0, -1)}a` : text);

const byFormat =
  (format: string, problem: string): Check =>
  (text) =>
    formatProblem(text, format) ? [problem] : [];

const checks: Readonly<Record<string, Check>> = {
  dns1123Label: checkDns1123Label,
  dns1123Subdomain: checkDns1123Subdomain,
  dns1035Label: checkDns1035Label,
  qualifiedName: checkQualifiedName,
  labelValue: checkLabelValue,
  dns1123LabelPrefix: asPrefix(checkDns1123Label),
  dns1123SubdomainPrefix: asPrefix(checkDns1123Subdomain),
  dns1035LabelPrefix: asPrefix(checkDns1035Label),
  uri: byFormat('uri', 'invalid URI'),
  uuid: byFormat('uuid', 'does not match the UUID format'),
  byte: byFormat('byte', 'invalid base64'),
  date: byFormat('date', 'invalid date'),
  datetime: byFormat('date-time', 'invalid datetime'),
};

/** A named format; opaque to rules. */
export class FormatValue {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}
/** What `format` is in a rule. */
export class FormatNamespace {
  readonly name = 'format';
}

export const formatFunctions: readonly CelFunction[] = [
  ...Object.keys(checks).map((name): CelFunction => [`FormatNamespace.${name}(): FormatValue`, () => new FormatValue(name)]),
  [
    'FormatNamespace.named(string): optional<FormatValue>',
    (_: unknown, name: string) => (Object.hasOwn(checks, name) ? Optional.of(new FormatValue(name)) : Optional.none()),
  ],
  [
    'FormatValue.validate(string): optional<list<string>>',
    ({ name }: FormatValue, text: string) => {
      const problems = checks[name]?.(text) ?? [];
      return problems.length === 0 ? Optional.none() : Optional.of([...problems]);
    },
  ],
];
