import { once } from 'node:events';
import { join } from 'node:path';
import { REFRESH_PACE } from '../../packages/server/src/vault/refresh-gate.ts';
import type { Bench } from '../bench.ts';
import type { ProviderSaw } from '../load/provider.ts';
import { CANDIDATE_CORE, LOAD_CORE, readiness, start } from '../processes.ts';
import type { RefreshStorm } from './refresh-process.ts';

/** What the vault promises a provider (`vault/refresh-gate.ts`), and a tenth for where a second begins. */
const AT_ONCE = REFRESH_PACE.atOnce;
const PER_SECOND = REFRESH_PACE.perSecond * 1.1;

/** 10,000 grants that expired together, and all of their users call in the same moment. */
export async function refresh(bench: Bench): Promise<void> {
  const count = bench.quick ? 1_000 : 10_000;
  const run = (core: number, file: string, ...args: string[]) =>
    start(core, [process.execPath, join(import.meta.dirname, file), ...args], { ipc: true });
  await using provider = run(LOAD_CORE, '../load/provider.ts');
  const port = await readiness<number>(provider);
  bench.progress(`refresh: ${count} grants`);
  await using gateway = run(
    CANDIDATE_CORE,
    'refresh-process.ts',
    join(bench.folder, 'refresh'),
    String(port),
    String(count),
  );
  const storm = await readiness<RefreshStorm>(gateway, 300);
  provider.child.send('report');
  const [saw] = (await once(provider.child, 'message')) as [ProviderSaw];

  const row = (metric: string, unit: string, value: number) =>
    bench.report.row('refresh', 'sallyport', metric, unit, [value]);
  row('grants that expired together', '', count);
  row('redemptions', '', saw.redemptions);
  row('time until all have a token', 'ms', storm.milliseconds);
  row('failures', '', storm.failures);
  row('refresh tokens used twice', '', saw.reused);
  row('most redemptions at once', '', saw.atOnce);
  row('most redemptions in a second', '/s', saw.perSecond);
  bench.report.target('refresh', 'failures = 0', storm.failures, value => value === 0, storm.because);
  bench.report.target('refresh', 'one redemption a grant', saw.redemptions / count, value => value === 1);
  bench.report.target('refresh', `redemptions at once ≤ ${AT_ONCE}`, saw.atOnce, value => value <= AT_ONCE);
  bench.report.target('refresh', `peak rate ≤ ${PER_SECOND}/s`, saw.perSecond, value => value <= PER_SECOND);
}
