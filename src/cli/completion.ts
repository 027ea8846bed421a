import type { Command, Option } from '#cli/command.ts';
import { globalOptions } from '#cli/run-command.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** What can follow one command, by its path (`dormouse image`). */
interface Node {
  readonly path: string;
  readonly words: readonly { readonly word: string; readonly summary: string }[];
  readonly options: readonly Option[];
}

/** A completion script of the whole command table. Words of the table never hold quotes or blanks; summaries may. */
export function completionScript(root: Command, shell: Shell): string {
  const nodes = nodesOf(root, [root.name]);
  if (shell === 'bash') return bash(root.name, nodes);
  return shell === 'zsh' ? zsh(root.name, nodes) : fish(root.name, nodes);
}

function nodesOf(command: Command, path: readonly string[]): Node[] {
  const visible = (command.commands ?? []).filter(({ hidden }) => hidden !== true);
  const node: Node = {
    path: path.join(' '),
    words: visible.map(({ name, summary }) => ({ word: name, summary })),
    options: [...(command.options ?? []), ...globalOptions],
  };
  const below = visible.flatMap((one) => [one.name, ...(one.aliases ?? [])].flatMap((name) => nodesOf(one, [...path, name])));
  return [node, ...below];
}

function bash(name: string, nodes: readonly Node[]): string {
  const cases = nodes.map(
    ({ path, words, options }) => `    '${path}') words='${[...words.map(({ word }) => word), ...options.map(flag)].join(' ')}' ;;`,
  );
  const choices = choicesOf(nodes).map(([key, values]) => `    '${key}') words='${values.join(' ')}' ;;`);
  return `# bash completion of ${name}: source <(${name} completion bash)
_${name}_words() {
  case "$1" in
${[...cases, ...choices].join('\n')}
    *) return 1 ;;
  esac
}
_${name}() {
  local path='${name}' words='' word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    _${name}_words "$path $word" && path="$path $word"
  done
  words=''
  _${name}_words "$path \${COMP_WORDS[COMP_CWORD-1]}=" || _${name}_words "$path"
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _${name} ${name}
`;
}

/** Keys `path --option=` with the values the option takes. */
function choicesOf(nodes: readonly Node[]): (readonly [string, readonly string[]])[] {
  return nodes.flatMap(({ path, options }) =>
    options.flatMap((option) => {
      const keys = [flag(option), ...(option.short === undefined ? [] : [`-${option.short}`])];
      return option.choices === undefined ? [] : keys.map((key) => [`${path} ${key}=`, option.choices ?? []] as const);
    }),
  );
}

function zsh(name: string, nodes: readonly Node[]): string {
  const cases = nodes.map(({ path, words, options }) => {
    const rows = [
      ...words.map(({ word, summary }) => [word, summary] as const),
      ...options.map((option) => [flag(option), option.summary] as const),
    ];
    return `    '${path}') entries=(${rows.map(([word, summary]) => quote(`${word}:${summary}`)).join(' ')}) ;;`;
  });
  const choices = choicesOf(nodes).map(([key, values]) => `    '${key}') entries=(${values.map(quote).join(' ')}) ;;`);
  return `#compdef ${name}
# zsh completion of ${name}: source <(${name} completion zsh)
_${name}_entries() {
  case "$1" in
${[...cases, ...choices].join('\n')}
    *) return 1 ;;
  esac
}
_${name}() {
  local at='${name}' word
  local -a entries
  for word in "\${(@)words[2,CURRENT-1]}"; do
    _${name}_entries "$at $word" && at="$at $word"
  done
  _${name}_entries "$at \${words[CURRENT-1]}=" || _${name}_entries "$at"
  _describe ${name} entries || _files
}
compdef _${name} ${name}
`;
}

function fish(name: string, nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words, options }) => {
    const at = `complete -c ${name} -n ${quote(`test (__${name}_path) = "${path}"`)}`;
    return [
      ...words.map(({ word, summary }) => `${at} -f -a ${word} -d ${quote(summary)}`),
      ...options.map((option) => `${at} ${fishOption(option)} -d ${quote(option.summary)}`),
    ];
  });
  const paths = nodes.map(({ path }) => quote(path)).join(' ');
  return `# fish completion of ${name}: ${name} completion fish | source
function __${name}_path
  set -l path ${name}
  for word in (commandline -opc)[2..-1]
    contains -- "$path $word" ${paths}; and set path "$path $word"
  end
  echo $path
end
${lines.join('\n')}
`;
}

function fishOption({ name, short, type, choices }: Option): string {
  const parts = [`-l ${name}`, ...(short === undefined ? [] : [`-s ${short}`]), ...(type === 'string' ? ['-r'] : [])];
  return [...parts, ...(choices === undefined ? [] : [`-f -a ${quote(choices.join(' '))}`])].join(' ');
}

function flag({ name }: Option): string {
  return `--${name}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
