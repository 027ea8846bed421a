import { readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';

/**
 * Makes the picture of the README from what a real run printed: `npm run quickstart | node tools/picture.ts docs/quickstart.svg`.
 * Lines that do not fit are cut; the home directory is shown as `~`. Nothing else is changed.
 */
const [target = 'docs/quickstart.svg'] = process.argv.slice(2);
const columns = 112;
const cell = { width: 7.8, height: 18 };
const margin = 18;
const bar = 30;
const colours = { back: '#17191f', bar: '#262a33', text: '#d5d9e0', dim: '#8b93a1', step: '#7cc4ff', answer: '#a6e08a', prompt: '#a6e08a' };

const output = readFileSync(0, 'utf8').trimEnd().split('\n');
const lines = ['$ npm ci && npm run quickstart', ...output.filter((line) => !line.startsWith('> '))].map(fit);
writeFileSync(target, svg(collapse(lines)));

function fit(line: string): string {
  const text = line.replaceAll(homedir(), '~');
  return text.length <= columns ? text : `${text.slice(0, columns - 1)}…`;
}

/** Never two empty lines together. */
function collapse(all: readonly string[]): string[] {
  return all.filter((line, index) => line !== '' || all[index - 1] !== '');
}

function svg(all: readonly string[]): string {
  const width = Math.ceil(columns * cell.width + 2 * margin);
  const height = Math.ceil(all.length * cell.height + 2 * margin + bar);
  const dots = ['#ff5f57', '#febc2e', '#28c840'].map((colour, index) => `<circle cx="${20 + index * 20}" cy="15" r="6" fill="${colour}"/>`);
  const rows = all.map((line, index) => row(line, bar + margin + (index + 0.75) * cell.height));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">`,
    `<title>npm run quickstart: the platform starts, builds and deploys hello world, lets it sleep and wakes it</title>`,
    `<rect width="100%" height="100%" rx="8" fill="${colours.back}"/>`,
    `<path d="M0 ${bar}V8a8 8 0 0 1 8-8h${width - 16}a8 8 0 0 1 8 8v${bar - 8}z" fill="${colours.bar}"/>`,
    ...dots,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="13">`,
    ...rows,
    `</g>`,
    `</svg>`,
    ``,
  ].join('\n');
}

function row(line: string, y: number): string {
  const text = line.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll(' ', '\u00A0');
  // The length is given, so that columns stand under each other in any font.
  const length = (line.length * cell.width).toFixed(1);
  return line === ''
    ? ''
    : `<text x="${margin}" y="${y.toFixed(1)}" fill="${colourOf(line)}" textLength="${length}" lengthAdjust="spacingAndGlyphs">${text}</text>`;
}

function colourOf(line: string): string {
  if (line.startsWith('$ ')) return colours.prompt;
  if (line.startsWith('▸')) return colours.step;
  if (/HTTP 200/.test(line)) return colours.answer;
  return /^ {2}/.test(line) ? colours.dim : colours.text;
}
