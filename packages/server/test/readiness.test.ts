import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { startGateway } from './fixtures/gateway.ts';

async function ready(url: string): Promise<{ status: number; detail: string | undefined }> {
  const answer = await fetch(`${url}/readyz`);
  const { detail } = (await answer.json()) as { detail?: string };
  if (answer.status === 503) assert.ok(Number(answer.headers.get('retry-after')) > 0);
  return { status: answer.status, detail };
}

test('a gateway is ready while its database has its migrations, and its ring the keys of what is stored', async t => {
  const gateway = await startGateway(t);
  assert.equal((await ready(gateway.url)).status, 200);

  const database = new DatabaseSync(join(gateway.directory, 'sallyport.db'));
  t.after(() => database.close());
  const [last] = database.prepare('select name, checksum from migrations order by name desc').all();
  const { name, checksum } = last as { name: string; checksum: string };
  database.prepare('delete from migrations where name = ?').run(name);
  const older = await ready(gateway.url);
  assert.equal(older.status, 503);
  assert.match(older.detail!, /lacks migrations/);
  assert.doesNotMatch(older.detail!, /\.sql/);

  database.prepare('insert into migrations (name, checksum) values (?, ?)').run(name, checksum);
  database
    .prepare('insert into migrations (name, checksum) values (?, ?)')
    .run('9999-of-a-newer-version.sql', 'x');
  assert.equal((await ready(gateway.url)).status, 200, 'a newer one beside it is being rolled out');

  database.exec(`
    insert into users (id, groups, claimed_admin, local_admin, created_at) values ('usr_1', '[]', 0, 0, 0);
    insert into grants (id, user_id, provider, subject, kind, version, state, envelope, kid, scope, expires_at, obtained_at,
      has_refresh_token, failures, retry_at, used_at, created_at)
    values ('grt_1', 'usr_1', 'corp', 's', 'sign-in', 1, 'idle', 'x', 'a-key-of-another', '', 0, 0, 1, 0, 0, 0, 0)`);
  const unreadable = await ready(gateway.url);
  assert.equal(unreadable.status, 503);
  assert.match(unreadable.detail!, /sealed under a key/);
});
