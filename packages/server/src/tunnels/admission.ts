import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { AddressOf } from '../platform/client-address.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import type { RateLimit } from '../platform/rate-limit.ts';
import type { Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import type { Peer } from './peer.ts';
import { mayBringAny } from './scope.ts';

/** A request that wants to become a tunnel. */
export interface Arrival {
  readonly req: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
  /** What stood in the query instead of a header, where that is taken. */
  readonly bearer?: string;
}

/** Who came, and whether they may stay. */
export interface Guest {
  readonly principal: Principal;
  readonly address: string;
  /** It has its connection, or went away: from then on only its connection counts. */
  leaveDoor(): void;
  /** Whether the credential would still be let in now, past every cache. @throws while that cannot be known */
  stands(): Promise<boolean>;
}

/**
 * Who may bring a tunnel: decided by the request alone, before anything is accepted (rule 1).
 * The guest has a place from then on, and is to leave the door.
 * @throws AppError `unauthenticated`, `csrf`, `forbidden`, `rate_limited`
 */
export function createAdmission(deps: {
  identity: { authenticate(request: IncomingMessage, bearer?: string): Principal | Promise<Principal> };
  guard(principal: Principal, request: { method: string; headers: IncomingMessage['headers'] }): void;
  standing(principal: Principal): Promise<unknown>;
  connections: ReadonlyMap<Peer, Guest>;
  perUser: number;
  /** By user: an agent that comes again and again without a pause costs a hello each time, and an event of the audit. */
  rate: RateLimit | null;
  addressOf: AddressOf;
  audit: Audit;
}) {
  const { connections, perUser, addressOf, audit } = deps;
  /** Let in, and not connected yet: many that come at once do not all find the last place free. */
  const atDoor = new Set<Guest>();

  function countOf(userId: string): number {
    let count = 0;
    for (const guests of [connections.values(), atDoor])
      for (const { principal } of guests) if (principal.userId === userId) count += 1;
    return count;
  }

  return async ({ req, bearer }: Pick<Arrival, 'req' | 'bearer'>): Promise<Guest> => {
    const address = addressOf({ headers: req.headers, remoteAddress: req.socket.remoteAddress });
    const principal = await deps.identity.authenticate(req, bearer);
    if (principal.proof === 'anonymous') {
      throw new AppError('unauthenticated', 'A tunnel needs a gateway key, a token or a session.', {
        headers: { 'www-authenticate': 'Bearer' },
      });
    }
    // An upgrade is a GET, and yet it acts: a page of another site must not open one with its visitor's cookie.
    deps.guard(principal, { method: 'UPGRADE', headers: req.headers });
    deps.rate?.take(principal.userId);
    const refuse = (error: AppError, why: string): never => {
      const { userId, credentialId } = principal;
      audit.record({ action: 'tunnel.refused', userId, credentialId, address, detail: { why } });
      throw error;
    };
    if (!mayBringAny(principal.scope)) {
      const words = 'This key is limited to upstreams; to bring tunnels its scope needs "tunnel:*".';
      refuse(new AppError('forbidden', words), 'scope');
    }
    if (countOf(principal.userId) >= perUser) {
      const words = `You have ${perUser} tunnels open already; close one first.`;
      refuse(new AppError('rate_limited', words, { headers: { 'retry-after': '30' } }), 'too many');
    }
    const guest: Guest = {
      principal,
      address,
      leaveDoor: () => void atDoor.delete(guest),
      stands: () => stands(principal, req, bearer),
    };
    atDoor.add(guest);
    return guest;
  };

  async function stands(principal: Principal, req: IncomingMessage, bearer?: string): Promise<boolean> {
    if ((await deps.standing(principal)) === null) return false;
    if (principal.proof !== 'jwt') return true;
    // Of a token only itself says until when it holds.
    try {
      await deps.identity.authenticate(req, bearer);
      return true;
    } catch (error) {
      if (asAppError(error).status === 401) return false;
      throw error;
    }
  }
}
