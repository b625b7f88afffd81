import { sql } from 'kysely';
import { AppError } from '../errors.ts';
import type { Runtime } from '../runtime.ts';
import { databaseAway, reasonOf } from './away.ts';
import type { Database, StoreUrl } from './db.ts';

const MIN_PAUSE = 250;
const MAX_PAUSE = 2_000;

/** How long to go on asking for a database that does not answer yet, milliseconds, and when to stop at once. */
export interface Patience {
  readonly ms: number;
  readonly signal: AbortSignal;
}

/** What a server says to a configuration that time will not mend (PostgreSQL, appendix A): who may not come in, and what is not there. */
const REFUSALS: Record<string, string> = {
  '28000': 'does not let this user in',
  '28P01': 'does not accept this user and password',
  '3D000': 'has no database of this name',
};

/**
 * Resolves when the database answers: containers start together, and the database may be the slower one.
 * @param deps.waiting told once, when it does not answer at first
 * @throws AppError `unavailable` when it has not answered in time, `config_invalid` when it refuses who asks; the signal's reason
 */
export async function reachDatabase(
  { db }: Pick<Database, 'db'>,
  deps: { store: StoreUrl; patience: Patience | null; runtime: Runtime; waiting(reason: string): void },
): Promise<void> {
  const { patience, runtime } = deps;
  const deadline = runtime.monotonic() + (patience?.ms ?? 0);
  // A pause of the runtime does not keep the process alive, and there may be nothing else yet that does.
  const alive = setInterval(() => {}, 1 << 30);
  try {
    for (let pause = MIN_PAUSE; ; pause = Math.min(2 * pause, MAX_PAUSE)) {
      try {
        await sql`select 1`.execute(db);
        return;
      } catch (error) {
        const reason = reasonOf(error);
        if (reason in REFUSALS)
          throw new AppError(
            'config_invalid',
            `${nameOf(deps.store)} ${REFUSALS[reason]} (${reason}). ${ADVICE}`,
          );
        if (patience === null || runtime.monotonic() + pause > deadline)
          throw new AppError('unavailable', `${nameOf(deps.store)} does not answer (${reason}). ${ADVICE}`);
        if (pause === MIN_PAUSE) deps.waiting(reason);
      }
      await runtime.sleep(pause, patience.signal);
    }
  } finally {
    clearInterval(alive);
  }
}

const ADVICE = 'See that it runs, and that store names the right place, user and password.';

/** Without user, password and parameters. */
function nameOf(store: StoreUrl): string {
  if (store.dialect === 'sqlite') return `The SQLite file ${store.path}`;
  const { hostname, port } = new URL(store.url);
  return `PostgreSQL at ${hostname}:${port || 5432}`;
}

/**
 * Looks whether the database answers now.
 * @param ms at most
 * @throws AppError `unavailable`
 */
export async function assertAnswers(
  { db }: Pick<Database, 'db'>,
  ms: number,
  runtime: Runtime,
): Promise<void> {
  const over = new AbortController();
  const late = runtime.sleep(ms, over.signal).then(() => {
    throw databaseAway(undefined);
  });
  const asked = sql`select 1`.execute(db);
  // Whichever comes second is nobody's.
  late.catch(() => {});
  asked.catch(() => {});
  try {
    await Promise.race([asked, late]);
  } finally {
    over.abort();
  }
}
