import { mkdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import type { Bench } from '../bench.ts';
import { gatewayMissing, seedGateway } from '../gateway-process.ts';
import { sleep } from '../load/window.ts';
import { CANDIDATE_CORE, start as startProcess } from '../processes.ts';
import { median } from '../statistics.ts';

/** From exec to the first answer, with a database that is already there. */
export async function start(bench: Bench): Promise<void> {
  const missing = gatewayMissing();
  if (missing !== null) return bench.report.absent('start', missing);
  const folder = join(bench.folder, 'start');
  mkdirSync(folder);
  const { port, command } = await seedGateway(9, folder);
  const times: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    bench.progress(`start: round ${round + 1} of ${bench.rounds}`);
    const begun = performance.now();
    await using _gateway = startProcess(CANDIDATE_CORE, command, { cwd: folder });
    while (!(await answers(port))) {
      if (performance.now() - begun > 20_000) throw new Error('no answer within 20 s');
      await sleep(5);
    }
    times.push(performance.now() - begun);
  }
  bench.report.row('start', 'sallyport', 'exec to first answer', 'ms', times);
  bench.report.target(
    'start',
    'first answer ≤ 1 s',
    median(times),
    value => value <= 1_000,
    'reading and compiling what was not kept compiled, and opening the database, on a machine that others use',
  );
}

function answers(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const asked = request({ host: '127.0.0.1', port, path: '/healthz' }, response => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on('error', () => resolve(false)).end();
  });
}
