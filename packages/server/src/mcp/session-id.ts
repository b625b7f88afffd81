import { createHmac, timingSafeEqual } from 'node:crypto';
import { ExpiringCache } from '../platform/cache.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Sealer } from '../terms/sealer.ts';
import type { Upstream } from '../terms/upstream.ts';
import { isObject, type Params, parseJson } from './json-rpc.ts';
import { noSession } from './refusal.ts';

/** What the id of a legacy session stands for. It is all in the id: any replica can open it. */
export interface SessionTicket {
  readonly userId: string;
  readonly upstreamId: string;
  /** `pass`: the back's own session. `held`: one that the gateway keeps, on one replica. */
  readonly kind: 'pass' | 'held';
  /** The back's id, null where it gave none; or the id of ours. */
  readonly id: string | null;
  /** Signs the ids of this session's events. */
  readonly eventKey: string;
  /** Of a session of ours that is nothing but this: it can be taken up again where it is not. */
  readonly said?: Said;
  /** Epoch milliseconds. */
  readonly begunAt?: number;
}

/** What a client said of itself when it began. */
export interface Said {
  readonly capabilities: Params;
  readonly clientInfo: { readonly name: string; readonly version: string };
}

/** Sealed strings that clients carry for us, each with a purpose of its own so that none can stand in for another. */
const PLACE = 'mcp session';
const REMEMBERED = 10 * 60_000;
const SIGNATURE = 16;

export interface SessionIds {
  mint(
    principal: Principal,
    upstream: Upstream,
    kind: SessionTicket['kind'],
    id: string | null,
    said?: Said | null,
  ): string;
  /** @throws Refusal 404: it is not one of ours, or another principal's, or another upstream's */
  open(sealed: string, principal: Principal, upstream: Upstream): SessionTicket;
}

export function createSessionIds(deps: {
  sealer: Sealer;
  runtime: Pick<Runtime, 'now' | 'random'>;
}): SessionIds {
  const { sealer, runtime } = deps;
  const opened = new ExpiringCache<SessionTicket>({ max: 10_000, now: runtime.now });

  function ticketIn(sealed: string): SessionTicket {
    const known = opened.get(sealed);
    if (known !== undefined) return known;
    let ticket: unknown;
    try {
      ticket = parseJson(sealer.open(sealed, PLACE));
    } catch {
      throw noSession();
    }
    if (!isObject(ticket)) throw noSession();
    const read = ticket as unknown as SessionTicket;
    opened.set(sealed, read, runtime.now() + REMEMBERED);
    return read;
  }

  return {
    mint(principal, upstream, kind, id, said = null) {
      const ticket: SessionTicket = {
        userId: principal.userId,
        upstreamId: upstream.id,
        kind,
        id,
        eventKey: runtime.random(16).toString('base64url'),
        ...(said !== null && { said, begunAt: runtime.now() }),
      };
      return sealer.seal(JSON.stringify(ticket), PLACE);
    },
    open(sealed, principal, upstream) {
      const ticket = ticketIn(sealed);
      if (ticket.userId !== principal.userId || ticket.upstreamId !== upstream.id) throw noSession();
      return ticket;
    },
  };
}

/** An event's id as the client gets it: a server may keep the events of all its sessions in one place, and must not be asked for another's. */
export const signEventId = (ticket: SessionTicket, id: string): string => `${signature(ticket, id)}${id}`;

/** @throws Refusal 404 for an id that is not one of this session's */
export function openEventId(ticket: SessionTicket, signed: string): string {
  const id = signed.slice(SIGNATURE);
  const given = Buffer.from(signed.slice(0, SIGNATURE));
  const right = Buffer.from(signature(ticket, id));
  if (given.length !== right.length || !timingSafeEqual(given, right)) throw noSession();
  return id;
}

const signature = ({ eventKey }: SessionTicket, id: string): string =>
  createHmac('sha256', eventKey).update(id).digest('base64url').slice(0, SIGNATURE);
