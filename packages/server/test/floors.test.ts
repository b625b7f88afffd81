import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const SRC = fileURLToPath(new URL('../src/', import.meta.url));
const ROOMS = ['identity', 'access', 'upstreams', 'vault', 'tunnels', 'audit'];
const JOURNEYS = ['forward', 'mcp', 'terminals'];
const GROUND = ['terms', 'platform', 'config'];
const MAX_LINES = 500;

/** From the top: a file may import from its own floor's folder and from below. */
function floorOf(file: string): number {
  const [folder] = file.split('/');
  if (file === 'main.ts' || folder === 'cli') return 6;
  // Parts of the join that would make app.ts too long.
  if (/^app(-[a-z-]+)?\.ts$/.test(file)) return 5;
  if (folder === 'http' || /(^|-|\/)routes\.ts$/.test(file)) return 4;
  if (JOURNEYS.includes(folder!)) return 3;
  if (ROOMS.includes(folder!)) return 2;
  if (GROUND.includes(folder!)) return 1;
  throw new Error(`${file} is on no floor`);
}

interface Import {
  readonly from: string;
  /** Within `src`; null for a package. */
  readonly to: string | null;
  readonly specifier: string;
  readonly typeOnly: boolean;
}

const files = globSync('**/*.ts', { cwd: SRC }).filter(file => !file.endsWith('.test.ts'));
const imports: Import[] = files.flatMap(from => {
  const text = readFileSync(join(SRC, from), 'utf8');
  return [
    ...text.matchAll(/^(?:import|export)\s+(type\s)?[^'"]*?from\s+'([^']+)'|^import\s+'([^']+)'/gms),
  ].map(match => {
    const specifier = match[2] ?? match[3]!;
    const to = specifier.startsWith('.') ? normalize(join(dirname(from), specifier)) : null;
    return { from, to, specifier, typeOnly: match[1] !== undefined };
  });
});
const inside = imports.filter(
  (one): one is Import & { to: string } => one.to !== null && !one.to.startsWith('..'),
);
const folder = (file: string) => file.split('/')[0]!;
const show = (list: readonly Import[]) => list.map(({ from, specifier }) => `${from} → ${specifier}`);

test('imports point down the floors', () => {
  // The command line says what it needs as types; app.ts is made to fit them.
  const up = inside.filter(
    ({ from, to, typeOnly }) =>
      floorOf(to) > floorOf(from) && !(typeOnly && from === 'app.ts' && to === 'cli/gateway.ts'),
  );
  assert.deepEqual(show(up), []);
});

test('rooms on one floor do not import each other, nor do journeys', () => {
  const neighbours = inside.filter(
    ({ from, to }) =>
      folder(from) !== folder(to) &&
      [ROOMS, JOURNEYS].some(floor => floor.includes(folder(from)) && floor.includes(folder(to))),
  );
  assert.deepEqual(show(neighbours), []);
});

test('only stores and platform/db speak SQL', () => {
  const elsewhere = imports.filter(
    ({ from, specifier, typeOnly }) =>
      !typeOnly &&
      (specifier === 'kysely' || specifier === 'pg' || specifier === 'node:sqlite') &&
      !from.endsWith('-store.ts') &&
      !from.startsWith('platform/db/'),
  );
  assert.deepEqual(show(elsewhere), []);
});

test('what the start waits for loads neither undici nor, by the face of node:http, the one within Node', () => {
  const heavy = imports.filter(
    ({ specifier, typeOnly }) => !typeOnly && ['node:http', 'undici'].includes(specifier),
  );
  assert.deepEqual(show(heavy), []);
});

test('on the way of a call no function is written where a property is set', () => {
  // V8 makes such a function old from its birth, and keeps with it the call that it was made for (decisions/0018).
  const written = files
    .filter(file => ['http', 'forward', 'mcp', 'tunnels'].includes(folder(file)))
    .filter(file =>
      /\.\w+ = (?:async )?(?:function|\([^()]*\)[^=;]*=>|\w+ =>)/.test(readFileSync(join(SRC, file), 'utf8')),
    );
  assert.deepEqual(written, []);
});

test('there are no barrels', () => {
  assert.deepEqual(
    files.filter(file => file.endsWith('index.ts')),
    [],
  );
});

test('no import leads round to where it began', () => {
  const next = new Map<string, string[]>();
  for (const { from, to, typeOnly } of inside) if (!typeOnly) next.set(from, [...(next.get(from) ?? []), to]);
  const done = new Set<string>();
  const walk = (file: string, trail: readonly string[]): void => {
    assert.ok(!trail.includes(file), `a circle: ${[...trail, file].join(' → ')}`);
    if (done.has(file)) return;
    for (const to of next.get(file) ?? []) walk(to, [...trail, file]);
    done.add(file);
  };
  for (const file of files) walk(file, []);
});

test(`no file is longer than ${MAX_LINES} lines`, () => {
  assert.deepEqual(
    files.filter(file => readFileSync(join(SRC, file), 'utf8').split('\n').length > MAX_LINES),
    [],
  );
});

test('only main.ts ends the process', () => {
  assert.deepEqual(
    files.filter(
      file => file !== 'main.ts' && /process\.exit(Code)?\b/.test(readFileSync(join(SRC, file), 'utf8')),
    ),
    [],
  );
});
