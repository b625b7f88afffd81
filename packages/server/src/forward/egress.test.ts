import assert from 'node:assert/strict';
import type { LookupFunction } from 'node:net';
import { type TestContext, test } from 'node:test';
import { eventually } from '../../test/fixtures/data-plane.ts';
import { startUpstream } from '../../test/fixtures/upstream.ts';
import { reasonOf } from '../platform/net-failure.ts';
import { createGuardedLookup } from '../platform/net-fetch.ts';
import type { Flow, Transport } from '../terms/transport.ts';
import { createEgress } from './egress.ts';

/** One GET; resolves with the body. */
const get = (transport: Transport, path: string) =>
  new Promise<string>((resolve, reject) => {
    let text = '';
    transport.send(
      { method: 'GET', path, headers: [], body: null, headersTimeout: 5_000 },
      {
        begin: (_flow: Flow) => true,
        head() {},
        data: chunk => void (text += chunk.toString()),
        end: () => resolve(text),
        error: reject,
      },
    );
  });

async function ground(t: TestContext) {
  const upstream = await startUpstream();
  t.after(() => upstream.close());
  const egress = createEgress();
  t.after(() => egress[Symbol.asyncDispose]());
  return { upstream, egress, url: new URL(upstream.url) };
}

test('connections to an origin that nobody needs any more are closed, those to others stay', async t => {
  const { upstream, egress, url } = await ground(t);
  const other = await startUpstream();
  t.after(() => other.close());
  await get(egress.to(url), '/x');
  await get(egress.to(new URL(other.url)), '/x');
  egress.retain(new Set([new URL(other.url).origin]));
  await eventually(() => upstream.open === 0, 2_000);
  assert.equal(other.open, 1);
});

test('a call under way ends as it would have, and a later one to the same URL opens a way again', async t => {
  const { upstream, egress, url } = await ground(t);
  let finish = () => {};
  upstream.intercept = (_req, res) => {
    res.writeHead(200).write('first,');
    finish = () => res.end('last');
    return true;
  };
  const answer = get(egress.to(url), '/stream');
  await eventually(() => upstream.busy === 1);
  egress.retain(new Set());
  finish();
  assert.equal(await answer, 'first,last');
  await eventually(() => upstream.open === 0, 2_000);
  upstream.intercept = null;
  assert.match(await get(egress.to(url), '/x'), /"url":"\/x"/);
});

test('a name that leads to a cloud’s metadata is not dialled', async t => {
  const resolve = ((_name, _how, done) =>
    done(null, [{ address: '169.254.169.254', family: 4 }] as never, 4)) as LookupFunction;
  const egress = createEgress({ lookup: createGuardedLookup({ privateAddresses: true, resolve }) });
  t.after(() => egress[Symbol.asyncDispose]());
  await assert.rejects(get(egress.to(new URL('http://metadata.corp.example')), '/latest'), error => {
    assert.equal(reasonOf(error), 'leads to an address that is refused');
    return true;
  });
});
