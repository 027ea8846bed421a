import { flagOption, type Invocation } from '#cli/command.ts';
import { table } from '#cli/output.ts';
import { resolveSettings } from '#cli/platform.ts';
import { settings } from '#platform/settings.ts';

/** `dormouse config show [--origin]`. */
export async function configShow(invocation: Invocation): Promise<number> {
  const { values, origins } = await resolveSettings(invocation);
  const withOrigin = flagOption(invocation, 'origin');
  const names = Object.keys(settings) as (keyof typeof settings)[];
  const rows = names.map((name) => [name, String(values[name]), ...(withOrigin ? [origins[name]] : [])]);
  invocation.stdout.write(`${table(['SETTING', 'VALUE', ...(withOrigin ? ['ORIGIN'] : [])], rows)}\n`);
  return 0;
}
