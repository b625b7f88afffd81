import type { IncomingMessage } from 'node:http';
import { createWebSockets, type WebSockets, type WebSocketsDeps } from './forward/web-sockets.ts';
import type { UpgradeRoute } from './http/upgrades.ts';
import { type Credentials, credentialsOf } from './identity/credentials.ts';
import type { Metrics } from './platform/metrics.ts';
import type { Principal } from './terms/principal.ts';

/** WebSockets of HTTP upstreams and tunnels, all of it: what `/u/…` serves beside HTTP. */
export function joinWebSockets(
  deps: Omit<WebSocketsDeps, 'authenticate' | 'open'> & {
    authenticate(credentials: Credentials): Principal | Promise<Principal>;
    metrics: Metrics;
  },
): WebSockets & { readonly route: UpgradeRoute } {
  const webSockets = createWebSockets({
    ...deps,
    authenticate: (req: IncomingMessage) => deps.authenticate(credentialsOf(req)),
    open: deps.metrics.gauge('sallyport_websockets', 'WebSockets that are open to HTTP upstreams.'),
  });
  return { ...webSockets, route: { prefix: '/u', upgrade: webSockets.upgrade } };
}
