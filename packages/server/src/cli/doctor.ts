import { existsSync } from 'node:fs';
import type { Config } from '../config/types.ts';
import { checkProvider, checkPublicUrl, checkUpstream, type Finding, sealFinding } from '../http/checks.ts';
import { openDatabase } from '../platform/db/db.ts';
import { pendingMigrations } from '../platform/db/migrate.ts';
import { reachDatabase } from '../platform/db/reach.ts';
import { AppError } from '../platform/errors.ts';
import type { Upstream } from '../terms/upstream.ts';
import { configOf, openGateway, type World } from './command.ts';

type Flags = Readonly<Record<string, unknown>>;

/** Looks at everything the gateway depends on, changing nothing. @returns 1 when something is not well */
export async function doctor(world: World, flags: Flags): Promise<number> {
  const { config } = configOf(world, flags);
  const findings = (
    await Promise.all([
      checkPublicUrl(config),
      checkState(world, flags, config),
      ...config.providers.map(provider => checkProvider(provider, config, world.runtime)),
    ])
  ).flat();
  for (const { what, found, advice } of findings) {
    world.out(
      `${advice === undefined ? 'OK  ' : 'FAIL'}  ${what}: ${found}\n${advice === undefined ? '' : `      ${advice}\n`}`,
    );
  }
  return findings.some(finding => finding.advice !== undefined) ? 1 : 0;
}

/** The database, and when it is well, whether what it holds can be opened, and the upstreams; without it, those of the file. */
async function checkState(world: World, flags: Flags, config: Config): Promise<Finding[]> {
  const database = await checkDatabase(config, world);
  if (database.advice !== undefined) return [database, ...(await checkUpstreams(config.upstreams))];
  try {
    await using gateway = await openGateway(world, flags);
    return [
      database,
      sealFinding(await gateway.vault.unreadable()),
      ...(await checkUpstreams(gateway.upstreams.list())),
    ];
  } catch (error) {
    return [
      database,
      {
        what: 'encryption key',
        found: messageOf(error),
        advice: 'Put the key back that this database was used with, or restore both from one backup.',
      },
      ...(await checkUpstreams(config.upstreams)),
    ];
  }
}

const checkUpstreams = (upstreams: readonly Upstream[]): Promise<Finding[]> =>
  Promise.all(upstreams.map(checkUpstream));

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
