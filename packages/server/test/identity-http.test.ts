import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { credentialsOf } from '../src/identity/credentials.ts';
import { createIdentity } from '../src/identity/identity.ts';
import { createJwts } from '../src/identity/jwt.ts';
import { createProxyHeader } from '../src/identity/proxy-header.ts';
import { asAppError } from '../src/platform/errors.ts';
import { identityGround } from './fixtures/identity.ts';

/** A real listener that answers who is calling; requests are written byte by byte, as an attacker would. */
async function listen(t: TestContext, from = ['127.0.0.0/8']) {
  const ground = await identityGround(t);
  const identity = createIdentity({
    keys: ground.keys,
    jwts: createJwts({ issuers: [], fetch, ...ground }),
    sessions: ground.sessions,
    proxyHeader: createProxyHeader({ header: { name: 'X-User-Id', from }, ...ground }),
    auth: { required: true, clientCredentials: true },
  });
  const server = createServer(async (req, res) => {
    try {
      const { proof, name } = await identity.authenticate(credentialsOf(req));
      res.end(`${proof} ${name}`);
    } catch (error) {
      res.writeHead(asAppError(error).status).end();
    }
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close().closeAllConnections());

  /** @returns the status line's code, and the body */
  async function send(...headers: string[]): Promise<string> {
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write(
      ['GET / HTTP/1.1', 'Host: x', 'Connection: close', ...headers, '', ''].join('\r\n'),
      'latin1',
    );
    const answer = await text(socket);
    const [head, body] = answer.split('\r\n\r\n');
    return `${head!.split(' ')[1]} ${body!.split('\r\n')[1] ?? body}`.trim();
  }
  return { ...ground, send };
}

test('on the wire, a repeated Authorization header is refused in any spelling and order', async t => {
  const { send, keys, person } = await listen(t);
  const alice = await person('alice');
  const { key } = await keys.create({
    userId: alice.id,
    name: 'k',
    admin: false,
    scope: null,
    expiresAt: null,
  });
  assert.equal(await send(`Authorization: Bearer ${key}`), '200 key alice');
  assert.equal(await send(`AUTHORIZATION:   bearer ${key}`), '200 key alice');
  for (const other of [
    'Authorization: Bearer other',
    'authorization: Basic YTpi',
    `AUTHORIZATION: Bearer ${key}`,
    'Authorization:',
  ]) {
    assert.match(await send(`Authorization: Bearer ${key}`, other), /^400/);
    assert.match(await send(other, `Authorization: Bearer ${key}`), /^400/);
  }
});

test('on the wire, the user header is believed once, spelled so, and not otherwise', async t => {
  const { send, users } = await listen(t);
  assert.equal(await send('X-User-Id: alice'), '200 proxy-header alice');
  assert.match(await send('X-User-Id: alice', 'x-user-id: root'), /^400/);
  assert.match(await send('X_User_Id: root'), /^401/);
  assert.equal(await send('X_User_Id: root', 'X-User-Id: alice'), '200 proxy-header alice');
  assert.match(await send('X-User-Id : root'), /^400/);
  assert.match(await send('X-User-Id: al\0ice'), /^400/);
  assert.match(await send('X-User-Id: alice', ' root'), /^400/);
  assert.deepEqual(
    (await users.list()).map(user => user.name),
    ['alice'],
  );
});

test('on the wire, the user header from an address that is not trusted is refused, whatever X-Forwarded-For says', async t => {
  const { send, users } = await listen(t, ['10.0.0.0/8']);
  assert.match(await send('X-User-Id: alice'), /^401/);
  assert.match(
    await send('X-User-Id: alice', 'X-Forwarded-For: 10.0.0.1', 'Forwarded: for=10.0.0.1'),
    /^401/,
  );
  assert.deepEqual(await users.list(), []);
});
