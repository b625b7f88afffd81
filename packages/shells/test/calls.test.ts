import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { crc32, inflateRawSync } from 'node:zlib';
import { OPENAPI } from '../src/openapi.ts';
import { type Answer, house, saidIn } from './house.ts';

test('a command is run: at once, in the background, with input, and stopped', async t => {
  const { call } = house(t);
  const run = (command: string, query = '', more = {}) =>
    call('POST', `/execute${query}`, { body: { command, ...more } });

  const quick = await run('echo "$A-$((6*7))"; exit 3', '?wait=10&tail=null', { env: { A: 'b' } });
  assert.deepEqual([quick.json.status, quick.json.exit_code, saidIn(quick.json)], ['done', 3, 'b-42\r\n']);
  assert.equal(quick.json.next_offset, quick.json.output.length);

  const slow = await run('read line; echo "got $line"');
  assert.equal(slow.json.status, 'running');
  const { id } = slow.json;
  await call('POST', `/execute/${id}/input`, { body: { input: 'hello\\n' } });
  const status = await call('GET', `/execute/${id}/status?wait=10`);
  assert.deepEqual([status.json.status, status.json.exit_code], ['done', 0]);
  assert.match(saidIn(status.json), /got hello/);
  const none = await call('GET', `/execute/${id}/status?offset=${status.json.next_offset}`);
  assert.deepEqual(none.json.output, []);

  const endless = await run('sleep 1000');
  assert.equal((await call('GET', `/execute/${endless.json.id}/status`, { user: 'bob' })).status, 404);
  assert.deepEqual((await call('GET', '/execute', { user: 'bob' })).json, []);
  assert.equal((await call('GET', '/execute')).json.length, 3);
  assert.deepEqual((await call('DELETE', `/execute/${endless.json.id}?force=true`)).json, {
    status: 'killed',
  });
  assert.equal((await call('GET', `/execute/${endless.json.id}/status`)).status, 404);
});

test('of a command that prints for ever the newest is kept, and what is gone is said', async t => {
  const { call } = house(t);
  const { json } = await call('POST', '/execute?wait=20&tail=1', {
    body: { command: 'seq 1200000' },
  });
  assert.match(json.output[0].data, /1200000/);
  const all = await call('GET', `/execute/${json.id}/status`);
  assert.equal(all.json.truncated, true);
  assert.ok(all.text.length < 6_000_000);
});

test('files are written, read, changed, found, moved and deleted, each user’s in their own home', async t => {
  const { call, homes } = house(t);
  const { json: cwd } = await call('GET', '/files/cwd');
  assert.deepEqual([cwd.cwd, cwd.root.label], [cwd.home, 'Home']);
  assert.notEqual(cwd.home, (await call('GET', '/files/cwd', { user: 'bob' })).json.home);

  const content = 'one\ntwo\nthree\n';
  const written = await call('POST', '/files/write', { body: { path: 'a/b.txt', content } });
  assert.deepEqual(written.json, { path: `${cwd.home}/a/b.txt`, size: 14 });
  const lines = await call('GET', '/files/read?path=a/b.txt&start_line=2&end_line=2');
  assert.deepEqual([lines.json.total_lines, lines.json.content], [3, 'two\n']);
  assert.equal((await call('GET', '/files/read?path=a/b.txt', { user: 'bob' })).status, 404);

  const replace = (replacements: unknown) =>
    call('POST', '/files/replace', { body: { path: 'a/b.txt', replacements } });
  assert.equal((await replace([{ target: 'o', replacement: '0' }])).status, 400);
  assert.equal((await replace([{ target: 'two', replacement: '$&2' }])).status, 200);
  assert.equal((await call('GET', '/files/view?path=~/a/b.txt')).text, 'one\n$&2\nthree\n');

  const { json: found } = await call('GET', '/files/grep?query=^T.R&case_insensitive=true&include=*.txt');
  assert.deepEqual(found.matches, [{ file: `${cwd.home}/a/b.txt`, line: 3, content: 'three' }]);
  assert.equal((await call('GET', '/files/glob?pattern=*.txt')).json.matches[0].path, 'a/b.txt');
  assert.equal((await call('GET', '/files/grep?query=(')).status, 400);

  // A session's directory holds for its files, its commands and its terminals.
  const headers = { 'x-session-id': 'chat-1' };
  await call('POST', '/files/cwd', { body: { path: 'a' }, headers });
  assert.equal((await call('GET', '/files/display?path=b.txt', { headers })).json.exists, true);
  assert.equal((await call('GET', '/files/display?path=b.txt')).json.exists, false);
  const { json } = await call('POST', '/execute?wait=10', { body: { command: 'pwd' }, headers });
  assert.equal(saidIn(json), `${cwd.home}/a\r\n`);

  const form = new FormData();
  form.set('file', new File([Buffer.from([0, 1, 2])], '../../evil.bin'));
  const upload = new Response(form);
  const uploaded = await call('POST', '/files/upload?directory=up', {
    body: Buffer.from(await upload.arrayBuffer()),
    headers: { 'content-type': upload.headers.get('content-type')! },
  });
  assert.deepEqual(uploaded.json, { path: `${cwd.home}/up/evil.bin`, size: 3 });
  assert.equal((await call('GET', '/files/read?path=up/evil.bin')).status, 415);

  const move = { source: 'up/evil.bin', destination: 'a/moved.bin' };
  assert.equal((await call('POST', '/files/move', { body: move })).status, 200);
  assert.equal((await call('POST', '/files/move', { body: move })).status, 404);
  assert.deepEqual((await call('DELETE', '/files/delete?path=up')).json.type, 'directory');
  const names = (await call('GET', '/files/list?directory=a')).json.entries.map(
    (entry: { name: string }) => entry.name,
  );
  assert.deepEqual(names, ['b.txt', 'moved.bin']);
  assert.equal((await call('DELETE', '/files/delete?path=.')).status, 400);
  assert.equal(readdirSync(homes).length, 2);
});

test('files and directories are found by parts of their names, and by what stands in them', async t => {
  const { call } = house(t);
  const write = (path: string, content: string) => call('POST', '/files/write', { body: { path, content } });
  await write('plan.md', 'one\nthe Needle is here\n');
  await write('plans/plan.md.bak', '');
  await write('plans/other.txt', 'needle, needle\n');
  await write('.hidden/plan.md', 'needle');
  const names = async (path: string) =>
    (await call('GET', path)).json.results.map((one: { path: string }) =>
      one.path.split('/user-')[1]!.slice(33),
    );
  assert.deepEqual(await names('/files/search?query=PLAN.md'), ['plan.md', 'plans/plan.md.bak']);
  assert.deepEqual(await names('/files/search?query=plan&type=directory'), ['plans']);
  assert.deepEqual(await names('/files/search?query=plan.md&show_hidden=true&limit=2'), [
    'plan.md',
    '.hidden/plan.md',
  ]);
  const { json } = await call('GET', '/files/matches?query=needle');
  assert.deepEqual(
    json.results.map((one: Record<string, unknown>) => [one['relative_path'], one['content_matches']]),
    [
      ['plan.md', [{ line: 2, column: 5, text: 'the Needle is here' }]],
      ['plans/other.txt', [{ line: 1, column: 1, text: 'needle, needle' }]],
    ],
  );
  const page = (offset: number) => call('GET', `/files/matches?query=plan&limit=2&offset=${offset}`);
  assert.deepEqual([(await page(0)).json.next_offset, (await page(2)).json.next_offset], [2, null]);
  assert.equal((await page(2)).json.results.length, 2);
  assert.equal((await call('GET', '/files/matches?query=%20')).status, 400);
  assert.equal((await call('GET', '/files/search?query=x&path=plan.md')).status, 404);
});

test('files and directories come as one archive', async t => {
  const { call, homes } = house(t);
  const { json: cwd } = await call('GET', '/files/cwd');
  const large = 'x'.repeat(300_000);
  for (const [path, content] of [
    ['site/ä.txt', 'umlaut'],
    ['site/deep/empty', ''],
    ['site/large', large],
    ['note', 'mine'],
    ['other/note', 'theirs'],
  ])
    await call('POST', '/files/write', { body: { path, content } });
  writeFileSync(join(homes, 'secret'), 'the key');
  symlinkSync(join(homes, 'secret'), join(cwd.home, 'site/link'));
  const archive = (paths: unknown) => call('POST', '/files/archive', { body: { paths } });

  const one = await archive(['site']);
  assert.equal(one.headers['content-disposition'], 'attachment; filename="site.zip"');
  assert.deepEqual(unpacked(one.bytes), {
    'site/deep/empty': '',
    'site/large': large,
    'site/ä.txt': 'umlaut',
  });
  const two = await archive(['note', 'other/note']);
  assert.deepEqual(unpacked(two.bytes), { note: 'mine', 'note (2)': 'theirs' });
  assert.equal((await archive(['nothing'])).status, 404);
  assert.equal((await archive([])).status, 400);
  assert.equal((await archive('note')).status, 400);
});

/** As a reader of archives goes: from the end to the directory, and from there to each file. */
function unpacked(bytes: Buffer): Record<string, string> {
  const end = bytes.length - 22;
  assert.equal(bytes.readUInt32LE(end), 0x06054b50);
  const files: Record<string, string> = {};
  let at = bytes.readUInt32LE(end + 16);
  for (let n = bytes.readUInt16LE(end + 10); n > 0; n--) {
    const [sum, packed, size] = [16, 20, 24].map(offset => bytes.readUInt32LE(at + offset));
    const named = bytes.readUInt16LE(at + 28);
    const begins = bytes.readUInt32LE(at + 42) + 30 + named;
    const content = inflateRawSync(bytes.subarray(begins, begins + packed!));
    assert.deepEqual([crc32(content), content.length], [sum, size]);
    files[bytes.toString('utf8', at + 46, at + 46 + named)] = content.toString();
    at += 46 + named;
  }
  assert.equal(at, end);
  return Object.fromEntries(Object.entries(files).sort());
}

test('every tool that the description offers is there, by the names that models know', async t => {
  const { call } = house(t);
  const { json } = await call('GET', '/openapi.json');
  assert.deepEqual(json, JSON.parse(JSON.stringify(OPENAPI)));
  const names: string[] = [];
  for (const [path, methods] of Object.entries(json.paths as Record<string, Record<string, Answer>>))
    for (const [method, { operationId }] of Object.entries(methods)) {
      names.push(operationId);
      const body = method === 'post' ? {} : undefined;
      const { status, text } = await call(method.toUpperCase(), path.replace('{process_id}', 'none'), {
        body,
      });
      assert.ok(
        status === 200 || status === 422 || text === '{"detail":"Process not found"}',
        `${path} ${text}`,
      );
    }
  for (const name of ['run_command', 'get_process_status', 'read_file', 'write_file', 'grep_search'])
    assert.ok(names.includes(name), name);
});

test('file calls go where the user’s account may go, and no further', async t => {
  if (process.getuid?.() !== 0) return t.skip('only root can run shells as another account');
  const nobody = { uid: 65_534, gid: 65_534 };
  const { call, homes } = house(t, { account: nobody });
  const { json: cwd } = await call('GET', '/files/cwd');
  // What only this process' own account may read, and how one might ask for it.
  const secret = join(homes, 'secret');
  writeFileSync(secret, 'the key', { mode: 0o600 });
  mkdirSync(join(homes, 'closed'), { mode: 0o700 });
  writeFileSync(join(homes, 'closed/x'), 'the key');
  symlinkSync(secret, join(cwd.home, 'link'));
  for (const path of ['../secret', secret, 'link', '../closed/x', `${cwd.home}/../secret`, '/proc/1/environ'])
    for (const what of ['read', 'view', 'display']) {
      const { status, text } = await call('GET', `/files/${what}?path=${encodeURIComponent(path)}`);
      assert.ok(
        !text.includes('the key') && (what === 'display' || status >= 400),
        `${what} ${path} ${status}`,
      );
    }
  const write = { path: '../secret', content: 'x' };
  assert.equal((await call('POST', '/files/write', { body: write })).status, 403);
  assert.equal((await call('DELETE', '/files/delete?path=../secret')).status, 403);
  assert.equal(
    (await call('POST', '/files/move', { body: { source: '../secret', destination: 'x' } })).status,
    403,
  );
  assert.equal(readFileSync(secret, 'utf8'), 'the key');
  assert.equal((await call('GET', '/files/read?path=a%00b')).status, 400);
  const { json } = await call('POST', '/execute?wait=10', {
    body: { command: `id -u; id -G; cat ${secret}` },
  });
  assert.match(saidIn(json), /^65534\r\n65534\r\n.*denied/);
});
