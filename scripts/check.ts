/** `npm run check`: everything a machine can say of the source without running the product. All checks run; the first failure decides the exit code. */
import { spawnSync } from 'node:child_process';

const CHECKS: readonly (readonly [what: string, command: string, ...args: string[]])[] = [
  ['format and lint', 'biome', 'ci', '--colors=off', '.'],
  ['types', 'tsc', '--noEmit', '-p', '.'],
  ['types of the console', 'tsc', '--noEmit', '-p', 'packages/web'],
  ['floors', 'node', '--test', '--test-reporter=dot', 'packages/server/test/floors.test.ts'],
  ['unused code', 'knip', '--no-progress'],
  ['docs made from code', 'node', 'scripts/docs.ts', '--check'],
  ['install scripts', 'node', 'scripts/install-scripts.ts'],
];

let failed = 0;
for (const [what, command, ...args] of CHECKS) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  console.log(`${status === 0 ? 'ok  ' : 'FAIL'}  ${what}`);
  if (status !== 0) {
    failed += 1;
    console.log(`${stdout}${stderr}`.trimEnd());
  }
}
console.log(`${CHECKS.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
