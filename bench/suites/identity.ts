import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { CANDIDATE_CORE, readiness, start } from '../processes.ts';
import { median } from '../statistics.ts';
import type { ActCost } from './identity-process.ts';

/** What it costs to know who calls, and to have their token at hand. */
export async function identity(bench: Bench): Promise<void> {
  bench.progress('identity');
  await using running = start(
    CANDIDATE_CORE,
    [
      process.execPath,
      '--expose-gc',
      // No collection falls into a measurement of what is allocated.
      '--max-semi-space-size=64',
      join(import.meta.dirname, 'identity-process.ts'),
      join(bench.folder, 'identity'),
      String(bench.rounds),
      bench.quick ? '100' : '500',
    ],
    { ipc: true },
  );
  const costs = await readiness<ActCost[]>(running, 300);
  for (const { act, metric, unit, values } of costs) bench.report.row('identity', act, metric, unit, values);

  const warm = (act: string) =>
    median(costs.find(cost => cost.act === act && cost.metric === 'warm')?.values ?? []);
  bench.report.target(
    'identity',
    'session and credentialFor, warm, ≤ 5 µs together',
    warm('session cookie') + warm('credentialFor'),
    value => value <= 5,
    '',
    'time',
  );
}
