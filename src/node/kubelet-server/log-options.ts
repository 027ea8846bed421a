import { ProviderError, type LogOptions } from '#node/provider.ts';

/** Reads the query of /containerLogs. Throws ProviderError (400) for values that make no sense. */
export function parseLogOptions(query: URLSearchParams, now: number, signal: AbortSignal): LogOptions {
  const tailLines = integer(query, 'tailLines', 0);
  const limitBytes = integer(query, 'limitBytes', 1);
  const sinceSeconds = integer(query, 'sinceSeconds', 1);
  const sinceTime = query.get('sinceTime') ?? '';
  if (sinceSeconds !== undefined && sinceTime !== '')
    throw new ProviderError('InvalidInput', 'at most one of sinceTime or sinceSeconds may be specified');
  const sinceMs = sinceSeconds !== undefined ? now - sinceSeconds * 1000 : sinceTime === '' ? undefined : Date.parse(sinceTime);
  if (sinceMs !== undefined && Number.isNaN(sinceMs)) throw new ProviderError('InvalidInput', `invalid sinceTime: ${sinceTime}`);
  return {
    follow: isTrue(query, 'follow'),
    previous: isTrue(query, 'previous'),
    timestamps: isTrue(query, 'timestamps'),
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(limitBytes === undefined ? {} : { limitBytes }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
    signal,
  };
}

function isTrue(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  return value === 'true' || value === '1' || value === '';
}

function integer(query: URLSearchParams, name: string, minimum: number): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  const value = Number(text);
  if (!Number.isInteger(value) || value < minimum) throw new ProviderError('InvalidInput', `invalid ${name}: ${text}`);
  return value;
}
