import type { Setting } from '#core/config.ts';
import type { Option } from '#cli/command.ts';
import { settings } from '#platform/settings.ts';

const optionOf = ({ flag, summary, placeholder }: Setting<unknown>): Option => ({
  name: flag,
  type: 'string',
  summary,
  ...(placeholder === undefined ? {} : { placeholder }),
});

/** The flags of `up`, derived from the settings' table. */
export const upOptions: readonly Option[] = Object.values(settings).map(optionOf);

export const dataDirOption: Option = optionOf(settings.dataDir);
export const logLevelOption: Option = optionOf(settings.logLevel);
