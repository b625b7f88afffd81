import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Link } from './link.ts';
import { SettingsError } from './settings.ts';

/**
 * `GET /healthz`: 200 while every gateway is connected, else 503; says of each which it is.
 * @throws SettingsError when the address cannot be had
 */
export async function startHealth(
  address: { host: string; port: number },
  links: () => readonly Link[],
): Promise<AsyncDisposable> {
  const server = createServer((req, res) => {
    if (req.url !== '/healthz') return void res.writeHead(404).end();
    const gateways = links().map(({ gateway, connected }) => ({ gateway: gateway.origin, connected }));
    const well = gateways.every(({ connected }) => connected);
    res.writeHead(well ? 200 : 503, { 'content-type': 'application/json' });
    res.end(JSON.stringify({ status: well ? 'ok' : 'not connected', gateways }));
  });
  server.listen(address.port, address.host);
  await once(server, 'listening').catch((error: Error) => {
    throw new SettingsError(`--health: ${error.message}`);
  });
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
