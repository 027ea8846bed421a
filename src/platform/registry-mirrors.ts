import { UserError } from '#core/errors.ts';

/** `docker.io=https://mirror.example,*=http://cache:5000`: base URLs by the registry they stand in for. `none`: there are none. */
export function readMirrors(text: string, name = 'registry mirrors'): Readonly<Record<string, readonly string[]>> {
  const mirrors: Record<string, string[]> = {};
  const parts = text.split(',').map((part) => part.trim());
  for (const part of parts.filter((one) => one !== '' && one !== 'none')) {
    const [, host = '', url = ''] = /^([^\s=/]+)=(https?:\/\/\S+)$/.exec(part) ?? [];
    if (!URL.canParse(url)) {
      throw new UserError(`${name}: ${JSON.stringify(part)} is not HOST=URL`, {
        hint: 'For example docker.io=https://mirror.example, or *=http://localhost:5001 for every registry.',
      });
    }
    (mirrors[host] ??= []).push(url);
  }
  return mirrors;
}
