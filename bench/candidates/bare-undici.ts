import { createServer } from 'node:http';
import { Pool } from 'undici';

/**
 * The least a proxy on `node:http` and undici can do: `dispatch`, a handler that writes, backpressure, abort. It checks nobody
 * and records nothing: what ours costs above this is ours. Argument: the upstream's port. Prints nothing, sends its own port.
 */
const upstream = `http://127.0.0.1:${process.argv[2]}`;
const pool = new Pool(upstream, { connections: 20_000, pipelining: 1, bodyTimeout: 0 });
const HOP = new Set(['connection', 'host', 'keep-alive', 'transfer-encoding']);

const server = createServer((req, res) => {
  const headers: string[] = [];
  for (let at = 0; at < req.rawHeaders.length; at += 2) {
    const name = req.rawHeaders[at]!;
    if (!HOP.has(name.toLowerCase())) headers.push(name, req.rawHeaders[at + 1]!);
  }
  let abort: ((reason: Error) => void) | null = null;
  let over = false;
  res.once('close', () => over || abort?.(new Error('the client has gone')));
  pool.dispatch(
    {
      method: req.method as 'GET',
      path: req.url!,
      headers,
      body: req.method === 'GET' ? null : req,
    },
    {
      onRequestStart(controller) {
        abort = reason => controller.abort(reason);
      },
      onResponseStart(_controller, status, fields) {
        const out: string[] = [];
        for (const name in fields) {
          if (!HOP.has(name)) out.push(name, String(fields[name]));
        }
        res.writeHead(status, out);
      },
      onResponseData(controller, chunk) {
        if (res.write(chunk)) return;
        controller.pause();
        res.once('drain', () => controller.resume());
      },
      onResponseEnd() {
        over = true;
        res.end();
      },
      onResponseError() {
        over = true;
        if (res.headersSent) res.destroy();
        else res.writeHead(502).end();
      },
    },
  );
});
server.keepAliveTimeout = 0;
server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 }, () => {
  process.send!({ ready: (server.address() as { port: number }).port });
});
process.on('disconnect', () => process.exit());
