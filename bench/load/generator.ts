import type { Job, Seen } from './job.ts';
import { closedLoop, pacedLoop } from './requests.ts';
import { openStreams, streamEvents } from './streams.ts';

/** The load generator's process: takes a job, answers with what it saw, takes the next. Ends with its parent. */
let held: Awaited<ReturnType<typeof openStreams>> | null = null;
let broken = 0;

process.on('message', async (job: Job) => process.send!({ seen: await run(job) }));
process.on('disconnect', () => process.exit());
process.send!({ ready: 0 });

async function run(job: Job): Promise<Seen> {
  switch (job.kind) {
    case 'closed':
      return closedLoop(job);
    case 'paced':
      return pacedLoop(job);
    case 'streams':
      return streamEvents(job);
    case 'hold': {
      broken = 0;
      held = await openStreams(
        job,
        () => {},
        () => broken++,
      );
      return nothing(held.opened());
    }
    case 'release':
      held?.close();
      held = null;
      return nothing(0);
  }
}

/** @param count streams that stand open */
function nothing(count: number): Seen {
  return { count, errors: broken, seconds: 0, p50: 0, p99: 0, candidateTime: 0, loadBusy: 0 };
}
