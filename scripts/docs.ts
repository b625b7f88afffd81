/** Writes `docs/configuration.md` from the options table; `--check` only says whether it is up to date. */
import { readFileSync, writeFileSync } from 'node:fs';
import { flagOf, OPTIONS, type Option, variableOf } from '../packages/server/src/config/options.ts';

const PATH = 'docs/configuration.md';
const MARK = '<!-- What follows is written by scripts/docs.ts from the options table. -->';
const before = readFileSync(PATH, 'utf8');

const shown = (value: unknown): string =>
  value === undefined ? '' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;

function row(option: Option): string {
  const variables = [variableOf(option.key), ...(option.aliases ?? [])]
    .map(name => `\`${name}\``)
    .join('<br>');
  const flag = flagOf(option);
  const fallback = 'default' in option ? shown(option.default) : '';
  return `| \`${option.key}\` | ${variables} | ${flag === null ? '' : `\`--${flag}\``} | ${fallback.replaceAll('|', '\\|')} | ${option.help.replaceAll('|', '\\|')} |`;
}

const text = `${before.slice(0, before.indexOf(MARK) + MARK.length)}

## Every option

| key | variable | flag | default | meaning |
| --- | --- | --- | --- | --- |
${OPTIONS.map(row).join('\n')}
`;

if (!process.argv.includes('--check')) writeFileSync(PATH, text);
else if (before !== text) {
  console.error(`${PATH} is not what the options table says: node scripts/docs.ts`);
  process.exitCode = 1;
}
