import type { IncomingMessage } from 'node:http';
import type { AddressOf } from '../platform/client-address.ts';
import { AppError, asAppError } from '../platform/errors.ts';
import type { Actor } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import { bearerIn } from './accept.ts';

/** Who opened a WebSocket, and whether they still may. */
export interface Guest {
  readonly principal: Principal;
  readonly actor: Actor;
  /** Whether the credential would still be let in now, past every cache. @throws while that cannot be known */
  stands(): Promise<boolean>;
}

export interface GuestsDeps {
  identity: { authenticate(request: IncomingMessage, bearer?: string): Principal | Promise<Principal> };
  /** Refuses an ambient credential (a cookie) that another site may have put to use. */
  guard(principal: Principal, request: { method: string; headers: IncomingMessage['headers'] }): void;
  /** What a credential is worth now, by the database; null: nothing. */
  standing(principal: Principal): Promise<unknown>;
  addressOf: AddressOf;
}

export interface Guests {
  /**
   * By what the handshake shows: `Authorization`, a cookie with this gateway's `Origin`, the subprotocol `bearer.TOKEN`. Null: it shows
   * nothing at all, which is no refusal; the first message has to.
   * @throws AppError
   */
  atHandshake(req: IncomingMessage): Promise<Guest | null>;
  /** By the token of the first message. @throws AppError */
  byToken(req: IncomingMessage, token: string): Promise<Guest>;
}

/** Who may attach a terminal. */
export function createGuests(deps: GuestsDeps): Guests {
  const { identity, standing } = deps;

  function guestOf(principal: Principal, req: IncomingMessage, bearer: string | undefined): Guest {
    const address = deps.addressOf({ headers: req.headers, remoteAddress: req.socket.remoteAddress });
    const { userId, credentialId } = principal;
    return {
      principal,
      actor: { userId, credentialId, address },
      async stands() {
        if ((await standing(principal)) === null) return false;
        if (principal.proof !== 'jwt') return true;
        // Of a token only itself says until when it holds.
        try {
          await identity.authenticate(req, bearer);
          return true;
        } catch (error) {
          if (asAppError(error).status === 401) return false;
          throw error;
        }
      },
    };
  }

  return {
    async atHandshake(req) {
      const bearer = bearerIn(req.headers['sec-websocket-protocol']);
      let principal: Principal;
      try {
        principal = await identity.authenticate(req, bearer);
      } catch (error) {
        if (showsNothing(error)) return null;
        throw error;
      }
      // Everybody at once is nobody whose terminal it could be.
      if (principal.proof === 'anonymous') return null;
      // An upgrade is a GET, and yet it acts: a page of another site must not open one with its visitor's cookie.
      deps.guard(principal, { method: 'UPGRADE', headers: req.headers });
      return guestOf(principal, req, bearer);
    },

    async byToken(req, token) {
      return guestOf(await identity.authenticate(req, token), req, token);
    },
  };
}

/** RFC 6750 section 3.1: where no credential was shown, the challenge has no error code. */
const showsNothing = (error: unknown): boolean =>
  error instanceof AppError &&
  error.code === 'unauthenticated' &&
  error.headers['www-authenticate'] === 'Bearer';
