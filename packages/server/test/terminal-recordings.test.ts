import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keyOf } from './fixtures/admin.ts';
import { eventually } from './fixtures/data-plane.ts';
import { terminalHouse } from './fixtures/terminal-house.ts';

const { gateway, bearer, as, create, attach } = await terminalHouse({
  box: { generation: 'open-terminal' },
  taped: { generation: 'open-terminal', config: { record: true } },
});
const alice = await bearer('alice@corp.example');
const bob = await bearer('bob@corp.example');
const admin = { authorization: `Bearer ${await keyOf(gateway, 'root@corp.example', '--admin')}` };
const own = (who: Record<string, string>) => ({ headers: who, protocols: ['sallyport.terminal.v1'] });

interface Listed {
  id: string;
  upstream: string;
  terminal: string;
  user: { id: string; email: string };
  startedAt: string;
  endedAt: string | null;
  bytes: number;
}
const list = async (who: Record<string, string>, query = '') =>
  (await as(who)('GET', `/api/v1/recordings${query}`)).body.recordings as Listed[];

/** Polls without spinning. */
async function until<T>(look: () => Promise<T | undefined>): Promise<T> {
  for (let n = 0; n < 100; n++) {
    const found = await look();
    if (found !== undefined) return found;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error('not in time');
}

test('what a recorded terminal prints is kept, sealed, for whose it is and for admins; what is typed is not', async () => {
  assert.equal((await as(alice)('GET', '/terminals/')).body.terminals[1].recording, true);
  const plain = attach('box', await create(alice, 'box'), own(alice));
  const terminal = await create(alice, 'taped');
  const client = attach('taped', terminal, own(alice));
  await client.told('attached');
  client.say({ type: 'resize', cols: 100, rows: 30 });
  // A shell without a terminal reads ahead: what is for `read` must not be there yet.
  client.type('echo "which"; read secret; echo "got ein M""ärchen"\n');
  await client.shows('which\n');
  client.type('hunter2-is-typed\n');
  await client.shows('got ein Märchen\n');
  client.say({ type: 'resize', cols: 101, rows: 31 });
  client.type('seq 1 50000; exit\n');
  assert.equal((await client.end()).code, 1000);
  plain.drop();

  const recording = await until(async () => (await list(alice)).find(({ endedAt }) => endedAt !== null));
  assert.deepEqual(
    [recording.upstream, recording.terminal, recording.bytes],
    ['taped', terminal, client.bytes],
  );
  assert.equal(recording.user.email, 'alice@corp.example');
  assert.equal((await list(alice)).length, 1, 'nothing of a terminal whose upstream does not record');
  assert.equal((await list(alice, '?upstream=box')).length, 0);

  const path = `/api/v1/recordings/${recording.id}`;
  const read = await fetch(gateway.url + path, { headers: alice });
  assert.equal(read.headers.get('content-type'), 'application/x-asciicast');
  const [head, ...lines] = (await read.text()).trimEnd().split('\n');
  const header = JSON.parse(head!) as Record<string, number>;
  assert.deepEqual([header['version'], header['width'], header['height']], [2, 100, 30]);
  const events = lines.map(line => JSON.parse(line) as [number, string, string]);
  const printed = events.filter(([, kind]) => kind === 'o').map(([, , data]) => data);
  assert.equal(printed.join(''), client.output.toString('utf8'));
  assert.ok(events.some(([, kind, data]) => kind === 'r' && data === '101x31'));
  assert.ok(events.every(([at], n) => at >= (events[n - 1]?.[0] ?? 0)));

  // To anybody else there is none; in the files of the gateway nothing of it can be read.
  assert.deepEqual(await list(bob), []);
  for (const method of ['GET', 'DELETE'] as const) {
    const refused = await as(bob)(method, path);
    assert.deepEqual([refused.status, refused.body.detail], [404, 'There is no such recording.']);
  }
  assert.equal((await as(admin)('GET', path)).status, 200);
  for (const [name, bytes] of gateway.files()) {
    assert.ok(!bytes.includes('ein Märchen'), name);
    assert.ok(!bytes.includes('hunter2-is-typed'), name);
  }
  assert.ok(!lines.join('').includes('hunter2-is-typed'));

  assert.equal((await as(alice)('DELETE', path)).status, 204);
  assert.deepEqual(await list(admin), []);
  const audit = (await as(admin)('GET', '/api/v1/audit?action=recording.*')).body.items as {
    action: string;
  }[];
  assert.deepEqual(
    audit.map(({ action }) => action),
    ['recording.remove', 'recording.read', 'recording.read', 'recording.begin'],
  );
});

test('a recording goes on across windows, and is whole after a restart', async () => {
  const terminal = await create(alice, 'taped');
  const first = attach('taped', terminal, own(alice));
  await first.told('attached');
  first.type('echo fi""rst\n');
  await first.shows('first\n');
  first.drop();
  const second = attach('taped', terminal, own(alice));
  await second.told('attached');
  second.type('echo sec""ond\n');
  await second.shows('second\n');
  const [going] = await until(async () => ((await list(alice)).length > 0 ? list(alice) : undefined));
  assert.equal(going!.endedAt, null);
  await gateway.stop();
  await eventually(() => second.closed !== null);
  await gateway.restart();
  const [whole, ...more] = await list(alice);
  assert.equal(more.length, 0);
  assert.notEqual(whole!.endedAt, null);
  const { text } = await as(alice)('GET', `/api/v1/recordings/${whole!.id}`);
  assert.match(text, /"first\\n"[\s\S]*"second\\n"/);
});
