import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AuditQuery, createAuditStore } from '../src/audit/audit-store.ts';
import { auditRoutes } from '../src/audit/routes.ts';
import { openDatabase } from '../src/platform/db/db.ts';
import { migrate } from '../src/platform/db/migrate.ts';
import { commandLine } from '../src/terms/audit.ts';
import { eventually, startDataPlane } from './fixtures/data-plane.ts';

const ROWS = 100_000;
const MIB = 1024 * 1024;

test('an export of 100,000 events waits for a slow reader, in bounded memory, and then is whole', async t => {
  const database = openDatabase({ dialect: 'sqlite', path: ':memory:' }, { now: () => 0 });
  t.after(() => database[Symbol.asyncDispose]());
  await migrate(database);
  const store = createAuditStore(database.db);
  const detail = { why: 'x'.repeat(500) };
  for (let n = 0; n < ROWS; n += 1_000) {
    const some = Array.from({ length: 1_000 }, (_, k) => n + k);
    await store.insert(
      some.map(at => ({ id: `evt_${at}`, at, action: 'session.end', ...commandLine, detail })),
    );
  }
  let pages = 0;
  const counted = {
    list(query: AuditQuery) {
      pages += 1;
      return store.list(query);
    },
  };
  const gateway = await startDataPlane(t, {
    upstreams: [],
    plugins: [auditRoutes({ store: counted, settled: async () => {} })],
  });

  const client = await gateway.dial();
  client.socket.removeAllListeners('data');
  let lines = 0;
  let last = '';
  let bytes = 0;
  let peak = 0;
  client.socket.on('data', (text: string) => {
    bytes += text.length;
    // Lines of the export end bare; those of the transfer's chunks in CRLF.
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1))
      if ((at === 0 ? last : text[at - 1]) !== '\r') lines += 1;
    last = text.at(-1)!;
    if (bytes % (8 * MIB) < text.length) peak = Math.max(peak, process.memoryUsage().heapUsed);
  });
  client.socket.pause();
  client.send(
    `GET /api/v1/audit/export?action=session.* HTTP/1.1\r\nHost: ${gateway.host}\r\nAuthorization: Bearer admin\r\nConnection: close\r\n\r\n`,
  );
  // The sockets' buffers take some megabytes; then the gateway stands still with the reader.
  let before = -1;
  let quiet = 0;
  await eventually(() => {
    quiet = pages === before ? quiet + 1 : 0;
    before = pages;
    return pages > 0 && quiet > 2_000;
  }, 20_000);
  assert.ok(pages < ROWS / 500 / 2, `${pages} pages were read for a reader who took none`);
  const begun = process.memoryUsage().heapUsed;
  client.socket.resume();
  await client.all();
  assert.ok(bytes > ROWS * 600);
  assert.equal(lines, ROWS);
  assert.ok(peak - begun < 100 * MIB, `the heap grew by ${Math.round((peak - begun) / MIB)} MiB`);
});
