import { Refusal } from '../config/problems.ts';
import { parseDuration } from '../config/values.ts';
import type { Key } from '../identity/key-store.ts';
import type { User } from '../identity/user-store.ts';
import { AppError } from '../platform/errors.ts';
import { commandLine } from '../terms/audit.ts';
import { openGateway, type World } from './command.ts';
import type { Gateway } from './gateway.ts';
import { table } from './table.ts';

export interface CreateKeyFlags {
  readonly user: string;
  readonly admin?: boolean;
  readonly name?: string;
  readonly expires?: string;
  readonly upstream?: readonly string[];
  readonly [flag: string]: unknown;
}

/** Prints the new key and nothing else, so that a script can keep it. */
export async function createKey(world: World, flags: CreateKeyFlags): Promise<void> {
  const expiresAt = flags.expires === undefined ? null : world.runtime.now() + durationOf(flags.expires);
  await using gateway = await openGateway(world, flags);
  const scope = scopeOf(gateway, flags.upstream);
  const user = (await findUser(gateway, flags.user)) ?? (await makeUser(gateway, flags.user, world));
  if (flags.admin && !user.admin) {
    await gateway.identity.users.makeAdmin(user.id);
    gateway.audit.record({ action: 'user.make-admin', ...commandLine, target: user.id });
    world.err(`${flags.user} is an admin from now on.\n`);
  }
  const { key } = await gateway.identity.keys.create({
    userId: user.id,
    name: flags.name ?? 'command line',
    admin: flags.admin === true,
    scope,
    expiresAt,
  });
  world.out(`${key}\n`);
}

/** Prints keys of one user or of all, never their values: nobody has those. */
export async function listKeys(world: World, flags: { user?: string; json?: boolean }): Promise<void> {
  await using gateway = await openGateway(world, flags);
  const users =
    flags.user === undefined ? await gateway.identity.users.list() : [await knownUser(gateway, flags.user)];
  const rows: { user: User; key: Key }[] = [];
  for (const user of users)
    for (const key of await gateway.identity.keys.list(user.id))
      if (key.revokedAt === null) rows.push({ user, key });
  if (flags.json) {
    world.out(
      `${JSON.stringify(
        rows.map(({ user, key }) => ({ ...key, email: user.email })),
        null,
        2,
      )}\n`,
    );
    return;
  }
  if (rows.length === 0) {
    world.err('There are no keys.\n');
    return;
  }
  const cells = rows.map(({ user, key }) => [
    key.id,
    user.email ?? user.id,
    key.name,
    key.admin ? 'admin' : 'user',
    key.scope === null ? 'all' : key.scope.join(','),
    day(key.createdAt),
    day(key.usedAt),
    day(key.expiresAt),
  ]);
  world.out(table(['ID', 'USER', 'NAME', 'RIGHTS', 'UPSTREAMS', 'CREATED', 'LAST USED', 'EXPIRES'], cells));
}

export async function revokeKey(
  world: World,
  flags: Readonly<Record<string, unknown>>,
  id: string,
): Promise<void> {
  await using gateway = await openGateway(world, flags);
  if (!(await gateway.identity.keys.revoke(id)))
    throw new AppError('not_found', `There is no key ${id}. sallyport keys list shows them.`);
  world.err(`${id} is revoked.\n`);
}

const day = (at: number | null): string => (at === null ? 'never' : new Date(at).toISOString().slice(0, 10));

function durationOf(text: string): number {
  try {
    return parseDuration(text);
  } catch (error) {
    if (error instanceof Refusal) throw new AppError('bad_request', `--expires: ${error.message}`);
    throw error;
  }
}

/** May bring tunnels, or the one of that name; see docs/tunnels.md. */
const TUNNEL = /^tunnel:(\*|[a-z0-9][a-z0-9._-]{0,62})$/;

function scopeOf({ upstreams }: Gateway, wanted: readonly string[] | undefined): readonly string[] | null {
  if (wanted === undefined) return null;
  const known = upstreams.list().map(upstream => upstream.id);
  const unknown = wanted.find(id => !known.includes(id) && !TUNNEL.test(id));
  if (unknown !== undefined) {
    throw new AppError(
      'bad_request',
      `--upstream: there is no upstream ${unknown}; expected one of ${known.join(', ') || '(there is none)'}`,
    );
  }
  return wanted;
}

/** By id or address. Two people may have one address at two providers: then only the id says who is meant. */
async function findUser(gateway: Gateway, who: string): Promise<User | null> {
  const { users } = gateway.identity;
  if (!who.includes('@')) return users.get(who);
  const found = await users.byEmail(who);
  if (found.length > 1) {
    throw new AppError(
      'conflict',
      `Several users have the address ${who}: ${found.map(user => user.id).join(', ')}. Name one by id.`,
    );
  }
  return found[0] ?? null;
}

async function knownUser(gateway: Gateway, who: string): Promise<User> {
  const user = await findUser(gateway, who);
  if (user === null) throw new AppError('not_found', `There is no user ${who}.`);
  return user;
}

/** A key may be made before its user has signed in; at the first sign-in with that (verified) address they are one. */
async function makeUser(gateway: Gateway, who: string, world: World): Promise<User> {
  if (!/^[^\s@]+@[^\s@]+$/.test(who))
    throw new AppError('not_found', `There is no user ${who}. Give an email address to make one.`);
  world.err(`${who} is new here.\n`);
  const user = await gateway.identity.users.create({ email: who, name: null });
  gateway.audit.record({ action: 'user.create', ...commandLine, target: user.id });
  return user;
}
