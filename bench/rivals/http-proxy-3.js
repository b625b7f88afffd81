import { Agent, createServer } from 'node:http';
import { createProxyServer } from 'http-proxy-3';

// As its documentation says: an agent that keeps connections, or every request would dial anew.
const agent = new Agent({ keepAlive: true, maxSockets: 20_000 });
const proxy = createProxyServer({ target: `http://127.0.0.1:${process.argv[2]}`, agent });
proxy.on('error', (_error, _req, res) => res.writeHead?.(502).end());

const server = createServer((req, res) => proxy.web(req, res));
server.keepAliveTimeout = 0;
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () =>
  process.send({ ready: server.address().port }),
);
process.on('disconnect', () => process.exit());
