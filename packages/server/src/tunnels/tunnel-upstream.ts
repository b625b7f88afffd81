import { TERMINAL_RULES, type Upstream } from '../terms/upstream.ts';
import type { Tunnel } from './tunnel-store.ts';
import { toolRulesOf } from './tunnel-tools.ts';

/** A local tool may think for as long as a model, milliseconds. */
const HEADERS_TIMEOUT = 300_000;
/** As for upstreams of the configuration. */
const MAX_BODY = 2 ** 30;

/** Names nothing that could be dialled (RFC 6761 section 6.4): the way to a tunnel is the tunnel's own. */
const NOWHERE = new URL('http://tunnel.invalid');

const KINDS = { mcp: 'mcp', stdio: 'mcp', http: 'http', terminal: 'terminal' } as const;

/** A tunnel as any other upstream: what may be done with it does not depend on how it is reached. */
export const upstreamOf = (tunnel: Tunnel): Upstream => ({
  id: `${tunnel.handle}/${tunnel.name}`,
  name: tunnel.title ?? tunnel.name,
  kind: KINDS[tunnel.kind],
  url: NOWHERE,
  models: [],
  credential: { use: 'none' },
  access: { ...tunnel.shared, users: [tunnel.ownerId, ...tunnel.shared.users] },
  headersTimeout: HEADERS_TIMEOUT,
  maxBody: MAX_BODY,
  ...(tunnel.tools !== null && {
    mcp: { tools: toolRulesOf(tunnel.tools), recordArguments: false },
  }),
  ...(tunnel.kind === 'terminal' && { terminal: TERMINAL_RULES }),
});

/** Whether this upstream is a tunnel's, and not one that happens to have its name. */
export const isTunnel = (upstream: Upstream): boolean => upstream.url === NOWHERE;
