import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';
import { MAX_MESSAGE } from '../protocol.ts';

/**
 * The joined endpoint as `forward` knows it: something to call like any other, with no way of its own and no credential. Whoever was let in may ask it,
 * and it shows them what they may use. No upstream can be called so.
 */
export const JOINED: Upstream = {
  id: 'mcp/*',
  name: 'Sallyport',
  kind: 'mcp',
  // Names nothing that could be dialled (RFC 6761 section 6.4).
  url: new URL('http://joined.invalid'),
  models: [],
  credential: { use: 'none' },
  access: { everyone: true, users: [], groups: [] },
  headersTimeout: 300_000,
  maxBody: MAX_MESSAGE,
};

type May = (principal: Principal, upstream: Upstream) => boolean;

/** As `may`, and the joined endpoint is everybody's: a key that is limited to some upstreams finds those there. */
export const mayJoined =
  (may: May): May =>
  (principal, upstream) =>
    upstream === JOINED || may(principal, upstream);

/** All that is called by name, and the joined endpoint. */
export const withJoined = (upstreams: { find(id: string): Upstream | undefined }) => ({
  find: (id: string) => (id === JOINED.id ? JOINED : upstreams.find(id)),
});
