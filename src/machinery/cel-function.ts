/** A function of CEL: its signature and what it does. Numbers of CEL type int are bigint. A thrown Error becomes the error of the rule. */
export type CelFunction = readonly [signature: string, handler: (...values: never[]) => unknown];
