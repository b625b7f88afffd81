import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createServer as createTls } from 'node:tls';
import { keyOf, startAgent } from './fixtures/agent.ts';
import { startGateway } from './fixtures/gateway.ts';
import { freePort } from './fixtures/ports.ts';
import { startUpstream } from './fixtures/upstream.ts';

/** A certificate for `localhost` of an authority that nobody knows. */
function certificate(file: string): { key: string; cert: string } {
  const made = execFileSync(
    'openssl',
    // biome-ignore format: the words of one command
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost',
      '-addext', 'subjectAltName=DNS:localhost', '-keyout', '-', '-out', '-'],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const part = (name: string) =>
    new RegExp(`-----BEGIN ${name}-----[\\s\\S]*?-----END ${name}-----`).exec(made)![0];
  const pair = { key: part('PRIVATE KEY'), cert: part('CERTIFICATE') };
  writeFileSync(file, pair.cert);
  return pair;
}

function pipe(from: Socket, to: Socket): void {
  from.pipe(to).pipe(from);
  from.on('error', () => to.destroy()).on('close', () => to.destroy());
  to.on('error', () => from.destroy()).on('close', () => from.destroy());
}

async function listening(t: TestContext, server: Server, port = 0): Promise<number> {
  const open = new Set<Socket>();
  server.on('connection', socket => {
    open.add(socket);
    socket.on('close', () => open.delete(socket)).on('error', () => {});
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A gateway behind TLS, and a proxy such as companies have. */
async function house(t: TestContext) {
  const port = await freePort();
  const gateway = await startGateway(t, { config: { publicUrl: `https://localhost:${port}` } });
  const ca = join(gateway.directory, 'own-ca.pem');
  const tls = createTls(certificate(ca), socket => pipe(socket, connect(gateway.port, '127.0.0.1')));
  tls.on('tlsClientError', () => {});
  await listening(t, tls, port);

  const asked: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (req: IncomingMessage, socket: Socket) => {
    asked.push(req.url!);
    const behind = connect(port, '127.0.0.1');
    behind.on('connect', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'));
    pipe(socket, behind);
  });
  const proxyUrl = `http://127.0.0.1:${await listening(t, proxy)}`;

  const local = await startUpstream();
  t.after(() => local.close());
  const key = await keyOf(gateway, 'alice@corp.example');
  const start = (env: Record<string, string>, ...more: string[]) =>
    startAgent(t, ['--gateway', `https://localhost:${port}`, '--name', 'wiki', '--web', local.url, ...more], {
      SALLYPORT_KEY: key,
      ...env,
    });
  return { gateway, ca, asked, proxyUrl, port, start };
}

test('the agent knows its gateway by its certificate alone: an own authority is one where it was named', async t => {
  const { ca, port, start } = await house(t);
  const unknown = start({ NODE_TLS_REJECT_UNAUTHORIZED: '0' });
  await unknown.says(/not connected to https:\/\/localhost:\d+: .*self-signed certificate/);
  await unknown.stop();
  const known = start({}, '--ca', ca);
  await known.says(new RegExp(`connected {2}wiki {2}-> {2}https://localhost:${port}/u/alice/wiki`));
});

test('the agent goes through the proxy that its environment names, except where it says not to', async t => {
  const { ca, port, asked, proxyUrl, start } = await house(t);
  const through = start({ HTTPS_PROXY: proxyUrl }, '--ca', ca);
  await through.says(/connected {2}wiki/);
  assert.deepEqual(asked, [`localhost:${port}`]);
  await through.stop();
  const past = start({ HTTPS_PROXY: proxyUrl, NO_PROXY: 'localhost' }, '--ca', ca);
  await past.says(/connected {2}wiki/);
  assert.equal(asked.length, 1);
});

test('GET /healthz of the agent says which gateway is connected; its log is JSON where that is asked for', async t => {
  const { ca, gateway, start } = await house(t);
  const port = await freePort();
  const agent = start({}, '--ca', ca, '--health', `127.0.0.1:${port}`, '--json');
  await agent.says(/connected {2}wiki/);
  const health = async () => {
    const res = await fetch(`http://127.0.0.1:${port}/healthz`);
    return [res.status, ((await res.json()) as { status: string }).status];
  };
  assert.deepEqual(await health(), [200, 'ok']);
  await gateway.kill();
  await agent.says(/not connected to/);
  assert.deepEqual(await health(), [503, 'not connected']);
  for (const line of agent.output().trim().split('\n'))
    assert.deepEqual(Object.keys(JSON.parse(line)).slice(0, 3), ['time', 'level', 'message']);

  const second = start({}, '--ca', ca, '--health', `127.0.0.1:${port}`);
  assert.equal(await second.ended, 2);
  assert.match(second.output(), /^sallyport-agent: --health: .*EADDRINUSE/m);
});
