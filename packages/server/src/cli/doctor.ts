import { existsSync } from 'node:fs';
import type { Config } from '../config/types.ts';
import { checkProvider, checkPublicUrl, checkUpstream, type Finding, sealFinding } from '../http/checks.ts';
import { resting } from '../http/examination.ts';
import { openDatabase } from '../platform/db/db.ts';
import { pendingMigrations } from '../platform/db/migrate.ts';
import { reachDatabase } from '../platform/db/reach.ts';
import { AppError } from '../platform/errors.ts';
import { configOf, openGateway, type World } from './command.ts';

type Flags = Readonly<Record<string, unknown>>;

/** Looks at everything the gateway depends on, changing nothing. @returns 1 when something is not well */
export async function doctor(world: World, flags: Flags): Promise<number> {
  const { config } = configOf(world, flags);
  const { findings: state, defined } = await checkState(world, flags, config);
  const others = await Promise.all([
    ...defined.providers.map(provider => checkProvider(provider, config, world.runtime)),
    ...defined.upstreams.map(upstream => checkUpstream(upstream, config)),
  ]);
  const findings = [checkPublicUrl(config), ...state, ...others.flat()];
  for (const { what, found, advice } of findings) {
    world.out(
      `${advice === undefined ? 'OK  ' : 'FAIL'}  ${what}: ${found}\n${advice === undefined ? '' : `      ${advice}\n`}`,
    );
  }
  return findings.some(finding => finding.advice !== undefined) ? 1 : 0;
}

/** What there is to look at beside the database: all that is defined, or, where it does not open, what the file says. */
type Defined = Pick<Config, 'providers' | 'upstreams'>;

/** The database, and when it is well, whether what it holds can be opened. */
async function checkState(
  world: World,
  flags: Flags,
  config: Config,
): Promise<{ findings: Finding[]; defined: Defined }> {
  const database = await checkDatabase(config, world);
  if (database.advice !== undefined) return { findings: [database], defined: config };
  try {
    await using gateway = await openGateway(world, flags);
    const { providers, upstreams } = gateway;
    return {
      findings: [
        database,
        sealFinding(await gateway.vault.unreadable()),
        ...resting('provider', providers.entries()),
        ...resting('upstream', upstreams.entries()),
      ],
      defined: { providers: providers.list(), upstreams: upstreams.list() },
    };
  } catch (error) {
    const advice = 'Put the key back that this database was used with, or restore both from one backup.';
    return {
      findings: [database, { what: 'encryption key', found: messageOf(error), advice }],
      defined: config,
    };
  }
}

async function checkDatabase(config: Config, world: World): Promise<Finding> {
  const { store } = config;
  const what = 'database';
  const name = store.dialect === 'sqlite' ? `SQLite, ${store.path}` : 'PostgreSQL';
  if (store.dialect === 'sqlite' && store.path !== ':memory:' && !existsSync(store.path)) {
    return { what, found: `${name} is not there yet`, advice: 'Run: sallyport migrate (serve does it too).' };
  }
  try {
    await using database = openDatabase(store, world.runtime);
    await reachDatabase(database, { store, patience: null, runtime: world.runtime, waiting() {} });
    const pending = await pendingMigrations(database);
    if (pending.length === 0) return { what, found: `${name}, up to date` };
    return {
      what,
      found: `${name}, of an older version (${pending.join(', ')} to come)`,
      advice: 'Run: sallyport migrate (serve does it too).',
    };
  } catch (error) {
    return {
      what,
      found: `${name}: ${messageOf(error)}`,
      advice: 'See that it runs, and that store names the right place, user and password.',
    };
  }
}

/** A driver's message may repeat the connection string: only our own words, or a code. */
const messageOf = (error: unknown): string =>
  error instanceof AppError ? error.message : ((error as NodeJS.ErrnoException).code ?? 'does not work');
