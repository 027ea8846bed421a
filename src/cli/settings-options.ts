import type { Option } from '#cli/command.ts';
import { settings } from '#platform/settings.ts';

/** The flags of `up`, derived from the settings' table. */
export const upOptions: readonly Option[] = Object.values(settings).map(({ flag, summary, placeholder }) => ({
  name: flag,
  type: 'string',
  summary,
  ...(placeholder === undefined ? {} : { placeholder }),
}));

export const dataDirOption: Option = { name: settings.dataDir.flag, type: 'string', summary: settings.dataDir.summary, placeholder: 'DIR' };
