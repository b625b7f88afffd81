import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { Kysely, sql } from 'kysely';
import { postgresUrl } from '../../../test/fixtures/postgres.ts';
import { openPostgres } from './postgres.ts';
import type { Tables } from './schema.ts';

/** A line to a real PostgreSQL that can fall silent, as a frozen machine or a dropped route does, or be cut. */
async function line(t: TestContext) {
  const url = await postgresUrl(t);
  if (url === null) return null;
  const target = new URL(url);
  const port = Number(target.port);
  const sockets = new Set<Socket>();
  let silent = false;
  const server = createServer(client => {
    const behind = connect(port, target.hostname);
    for (const [from, to] of [
      [client, behind],
      [behind, client],
    ] as const) {
      sockets.add(from);
      from.on('data', chunk => void (silent || to.write(chunk)));
      from.on('close', () => to.destroy()).on('error', () => {});
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  target.host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { dialect, unhurried } = openPostgres(target.href, { connect: 500, query: 200 });
  const db = new Kysely<Tables>({ dialect });
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await db.destroy();
    server.close();
  });
  return {
    db,
    unhurried,
    ask: () => sql`select 1`.execute(db),
    fallSilent: (on: boolean) => {
      silent = on;
    },
    cut: () => sockets.forEach(socket => void socket.resetAndDestroy()),
  };
}

const AWAY = { code: 'unavailable', headers: { 'retry-after': '5' } };

test('a server that falls silent is away after a bounded time, and is asked on a new connection when it speaks again', async t => {
  const to = await line(t);
  if (to === null) return;
  await to.ask();
  to.fallSilent(true);
  await assert.rejects(to.ask(), AWAY, 'on the connection that was there');
  await assert.rejects(to.ask(), AWAY, 'on a new one');
  await assert.rejects(Promise.all(Array.from({ length: 20 }, () => to.ask())), AWAY, 'past the pool');
  to.fallSilent(false);
  await to.ask();
});

test('a connection that dies between two queries of a transaction ends the transaction, not the process', async t => {
  const to = await line(t);
  if (to === null) return;
  const broken = to.db.transaction().execute(async tx => {
    await sql`select 1`.execute(tx);
    to.cut();
    await new Promise(resolve => setTimeout(resolve, 50));
    await sql`select 2`.execute(tx);
  });
  await assert.rejects(broken, AWAY);
  await to.ask();
});

test('what is wrong with a query is no absence, and leaves the connection in use', async t => {
  const to = await line(t);
  if (to === null) return;
  await assert.rejects(sql`select * from nothing_of_this_name`.execute(to.db), { code: '42P01' });
  await to.ask();
});

test('a query is given up after a while, unless it was said to take long', async t => {
  const to = await line(t);
  if (to === null) return;
  const slow = () => sql`select pg_sleep(0.5)`.execute(to.db);
  await assert.rejects(slow(), AWAY);
  await to.unhurried(slow);
});
