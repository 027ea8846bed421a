import type { Command, Option, Positional } from '#cli/command.ts';

/** The help of the last command in `path`. */
export function helpText(path: readonly Command[]): string {
  const command = path.at(-1);
  if (command === undefined) return '';
  const name = path.map((one) => one.name).join(' ');
  const sections = [
    command.description ?? command.summary,
    `Usage:\n  ${usage(name, command)}`,
    section(
      'Commands',
      (command.commands ?? []).filter(({ hidden }) => hidden !== true).map((one) => [one.name, one.summary]),
    ),
    section(
      'Arguments',
      (command.positionals ?? []).map((one) => [one.name.toUpperCase(), one.summary]),
    ),
    section(
      'Options',
      [...(command.options ?? []), { name: 'help', short: 'h', type: 'boolean', summary: 'Show this help' } as const].map(optionRow),
    ),
    command.examples === undefined ? '' : `Examples:\n${command.examples.map((line) => `  ${line}`).join('\n')}`,
  ];
  return `${sections.filter((text) => text !== '').join('\n\n')}\n`;
}

/** How a command is typed. */
export function usage(name: string, { commands, positionals = [], options = [] }: Command): string {
  if (commands !== undefined) return `${name} COMMAND`;
  return [name, ...positionals.map(positionalUsage), ...(options.length > 0 ? ['[options]'] : [])].join(' ');
}

function positionalUsage({ name, optional, rest }: Positional): string {
  const text = `${name.toUpperCase()}${rest === true ? '…' : ''}`;
  return optional === true || rest === true ? `[${text}]` : text;
}

function optionRow(option: Option): readonly [string, string] {
  const short = option.short === undefined ? '    ' : `-${option.short}, `;
  const value = option.type === 'boolean' ? '' : ` ${option.placeholder ?? option.choices?.join('|') ?? 'VALUE'}`;
  const fallback = option.default === undefined ? '' : ` (default ${option.default})`;
  return [`${short}--${option.name}${value}`, `${option.summary}${fallback}`];
}

function section(title: string, rows: readonly (readonly [string, string])[]): string {
  if (rows.length === 0) return '';
  const width = Math.max(...rows.map(([left]) => left.length));
  return `${title}:\n${rows.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join('\n')}`;
}
