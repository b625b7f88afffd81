import { printable, printYaml } from '../config/print.ts';
import { openDatabase } from '../platform/db/db.ts';
import { migrate } from '../platform/db/migrate.ts';
import { reachDatabase } from '../platform/db/reach.ts';
import { AppError } from '../platform/errors.ts';
import { configOf, openGateway, type World } from './command.ts';

type Flags = Readonly<Record<string, unknown>>;

export async function checkConfig(world: World, flags: Flags): Promise<void> {
  const { config } = configOf(world, flags);
  world.out(
    `The configuration is good: ${config.providers.length} providers, ${config.upstreams.length} upstreams.\n`,
  );
}

export async function printConfig(world: World, flags: Flags): Promise<void> {
  const read = configOf(world, flags);
  world.out(flags['json'] ? `${JSON.stringify(printable(read), null, 2)}\n` : printYaml(read));
}

/** `serve` migrates too; by itself for who wants to do it before, or by another user. */
export async function migrateDatabase(world: World, flags: Flags): Promise<void> {
  const { config } = configOf(world, flags);
  await using database = openDatabase(config.store, world.runtime);
  await reachDatabase(database, {
    store: config.store,
    patience: null,
    runtime: world.runtime,
    waiting() {},
  });
  const applied = await migrate(database);
  world.out(
    applied.length === 0
      ? 'The database is up to date.\n'
      : applied.map(name => `applied ${name}\n`).join(''),
  );
}

/** Seals everything anew under the newest key; after it, older keys may leave the configuration. */
export async function rotateSecrets(world: World, flags: Flags): Promise<void> {
  await using gateway = await openGateway(world, flags);
  const count = await gateway.vault.rotate(world.signal);
  const left = await gateway.vault.unreadable();
  world.out(`${count} records are sealed anew under the newest key.\n`);
  if (left > 0) {
    throw new AppError(
      'seal_broken',
      `${left} records are sealed under a key that is not configured. Put that key back (last in the list) and rotate again.`,
    );
  }
}

export async function printAdminLink(world: World, flags: Flags): Promise<void> {
  await using gateway = await openGateway(world, flags);
  const link = await gateway.adminLink();
  if (link === null)
    throw new AppError('conflict', 'There is an admin already; the link is for the first one only.');
  world.out(`${link}\n`);
}
