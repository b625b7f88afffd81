/**
 * `npm run faults`: the faults of the tests of tunnels and terminals at full size: 100 kills under 64 callers and 100,000 calls, 100,000 calls with the same ids, a slow
 * reader beside fast ones, a network that swallows everything, in real time, and 500,000 made-up inputs of each kind; and those of terminals: 1,000
 * drops under a counter, servers and gateways that die, 500 shells at once, 100 MB into a browser. Some minutes; says what it does, and ends
 * by itself, with exit code 1 where something did not hold.
 *
 * `npm run faults -- --kills 20 --calls 20000` for less; `--only slow,hole` for some.
 */
import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { createCalls } from '../packages/server/test/fixtures/faults-calls.ts';
import { startHouse } from '../packages/server/test/fixtures/faults-house.ts';
import { faultsIn, kills, quantile, tallied } from '../packages/server/test/fixtures/faults-kills.ts';
import { sameIds } from '../packages/server/test/fixtures/faults-same-ids.ts';
import { slowReader } from '../packages/server/test/fixtures/faults-slow-reader.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    calls: { type: 'string', default: '100000' },
    only: { type: 'string', default: 'kills,ids,slow,hole,fuzz,terminals' },
  },
});
const size = { kills: Number(values.kills), calls: Number(values.calls) };
const faults: string[] = [];
let total = 0;
const say = (text: string) => console.log(`${new Date().toISOString().slice(11, 19)} ${text}`);
const MB = 2 ** 20;
const seconds = (from: number) => `${((performance.now() - from) / 1000).toFixed(1)} s`;

/** Runs files of tests at the size that `env` says. @returns whether all of it held */
function tested(files: readonly string[], env: Record<string, string>): boolean {
  const args = ['--test', '--test-concurrency=1', ...files];
  return (
    spawnSync(process.execPath, args, { env: { ...process.env, ...env }, stdio: 'inherit' }).status === 0
  );
}

/** Runs one part with what it opened, and closes that. */
async function part(name: string, run: (t: { after(close: () => unknown): void }) => Promise<void>) {
  if (!values.only.split(',').includes(name)) return;
  const opened: (() => unknown)[] = [];
  try {
    await run({ after: close => void opened.push(close) });
  } catch (error) {
    faults.push(`${name}: ${(error as Error).stack}`);
  }
  for (const close of opened.reverse()) await close();
  const found = faults.splice(0);
  total += found.length;
  for (const fault of found.slice(0, 50)) console.log(`FAULT ${fault}`);
  say(`${name}: ${found.length === 0 ? 'held' : `${found.length} faults`}`);
}

await part('kills', async t => {
  const report = await kills(t, size, say);
  faults.push(...faultsIn(report, size.calls));
  for (const [ending, count] of Object.entries(tallied(report.endings))) say(`${count} × ${ending}`);
  for (const what of new Set(report.reconnects.map(reconnect => reconnect.what))) {
    const took = report.reconnects.filter(reconnect => reconnect.what === what).map(one => one.took);
    say(
      `after ${what}: back p50 ${quantile(took, 0.5).toFixed()} ms, most ${Math.max(...took).toFixed()} ms`,
    );
  }
  const took = report.reconnects.map(reconnect => reconnect.took);
  say(`back p50 ${quantile(took, 0.5).toFixed()} ms, p99 ${quantile(took, 0.99).toFixed()} ms`);
});

await part('ids', async t => void faults.push(...(await sameIds(t, size.calls, say))));

await part('slow', async t => {
  const { alone, beside, slow, large, grown } = await slowReader(t, Math.min(size.calls, 10_000), say);
  say(
    `others' p99 × ${(beside / alone).toFixed(2)}; ${slow} bytes to the slow one, ${large / MB} MiB of results`,
  );
  if (grown !== null)
    say(
      `${(grown.gateway / MB).toFixed()} MB more in the gateway, ${(grown.agent / MB).toFixed()} MB in the agent`,
    );
});

await part('hole', async t => {
  const house = await startHouse(t);
  const { byHttp, close } = createCalls({ ...house, patience: 60_000 });
  t.after(close);
  await byHttp('before');
  house.network.freeze();
  const begun = performance.now();
  const ending = await byHttp('lost');
  say(`the gateway noticed after ${seconds(begun)}: ${ending.how} "${'said' in ending ? ending.said : ''}"`);
  await house.agent().says(/nothing was heard of the gateway/);
  say(`the agent noticed after ${seconds(begun)}`);
  if (ending.how !== 'refused' || performance.now() - begun > 31_000)
    faults.push('the hole was not noticed in time');
  house.network.thaw();
  await house.agent().says(/connected {2}tool[\s\S]*connected {2}tool/);
  say(`and was back after ${seconds(begun)}`);
});

await part('fuzz', async () => {
  const files = [
    'packages/server/test/fuzz-tunnels.test.ts',
    'packages/server/src/mcp/hostile-input.test.ts',
    'packages/protocol/src/web-socket-frames.test.ts',
  ];
  const seed = `${randomInt(2 ** 31)}`;
  say(`500,000 made-up inputs of each kind; SALLYPORT_SEED=${seed} makes up the same ones`);
  if (!tested(files, { SALLYPORT_FUZZ: '500000', SALLYPORT_SEED: seed }))
    faults.push('an input was not refused');
});

await part('terminals', async () => {
  const files = ['terminal-reattach', 'terminal-flow', 'shells', 'console-terminal'].map(
    name => `packages/server/test/${name}.test.ts`,
  );
  if (!tested(files, { SALLYPORT_TEST_FULL: '1', SALLYPORT_TEST_BULK_MB: '100' }))
    faults.push('a terminal did not hold');
});

console.log(total === 0 ? 'everything held' : `${total} faults`);
process.exitCode = total === 0 ? 0 : 1;
