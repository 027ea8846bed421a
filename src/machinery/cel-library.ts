import { compareQuantities } from '#apis/meta/quantity.ts';
import { FormatNamespace, FormatValue, formatFunctions } from './cel-formats.ts';
import type { CelFunction } from './cel-function.ts';
import { SetsNamespace, listFunctions } from './cel-lists.ts';
import { CidrValue, IpNamespace, IpValue, UrlValue, networkFunctions } from './cel-network.ts';
import { QuantityValue, quantityFunctions } from './cel-quantity.ts';
import { SemverValue, semverFunctions } from './cel-semver.ts';
import { StringsNamespace, stringFunctions } from './cel-strings.ts';

/** The functions Kubernetes adds to CEL: strings, lists, sets, regex, URL, IP, CIDR, quantity, semver, format. */
export const celFunctions: readonly CelFunction[] = [
  ...stringFunctions,
  ...listFunctions,
  ...networkFunctions,
  ...quantityFunctions,
  ...semverFunctions,
  ...formatFunctions,
];
/** Every opaque type by its name in signatures. */
export const celTypes = {
  QuantityValue,
  UrlValue,
  IpValue,
  CidrValue,
  SemverValue,
  FormatValue,
  SetsNamespace,
  StringsNamespace,
  IpNamespace,
  FormatNamespace,
} as const;
/** The words that functions of a library are called by. */
export const celNamespaces = {
  sets: new SetsNamespace(),
  strings: new StringsNamespace(),
  ip: new IpNamespace(),
  format: new FormatNamespace(),
} as const;
/** Which of the opaque types can be compared, and by what. */
export const celEqualities = {
  QuantityValue: (a: QuantityValue, b: QuantityValue) => compareQuantities(a.value, b.value) === 0,
  UrlValue: (a: UrlValue, b: UrlValue) => a.url.href === b.url.href,
  IpValue: (a: IpValue, b: IpValue) => a.family === b.family && a.bits === b.bits,
  CidrValue: (a: CidrValue, b: CidrValue) => String(a) === String(b),
  SemverValue: (a: SemverValue, b: SemverValue) => a.compareTo(b) === 0,
} as const;
