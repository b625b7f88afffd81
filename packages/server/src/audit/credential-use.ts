import type { Bus } from '../platform/bus.ts';
import { newTimedId } from '../platform/crypto.ts';
import type { Logger } from '../platform/log.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { AuditAction } from '../terms/audit.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import { type AuditStore, MOST_AT_ONCE, type TimedEvent } from './audit-store.ts';

const MINUTE = 60_000;
/** Rows that wait for a database that is away before the oldest are dropped (and the log says so). */
const MAX_WAITING = 50_000;

/** A call that sent a credential to an upstream for somebody; null where it did not come so far, or nothing was to be sent. */
export interface CredentialUse {
  readonly principal: Principal | null;
  readonly upstream: Upstream | null;
  readonly credential: Credential | null;
  /** How the call ended. */
  readonly result: string;
  readonly address: string | undefined;
}

/** The same use, again and again within a minute. */
interface Tally {
  readonly userId: string;
  readonly credentialId: string;
  readonly upstreamId: string;
  /** `sign-in`, `key`, or `fallback`: a key where the caller has no token. */
  readonly rule: string;
  readonly grant: string | null;
  readonly result: string;
  count: number;
  readonly first: number;
  last: number;
  address: string | null;
}

export interface CredentialUses extends AsyncDisposable {
  /** On the hot path: two look-ups and an addition. What sent no credential is passed over. */
  count(use: CredentialUse): void;
}

/**
 * Which credential went where for whom, one row a minute for what would be one row a call. Ephemeral until the minute is over: a process
 * that dies takes at most that minute's counts with it; one that ends writes them.
 */
export function createCredentialUses(deps: {
  /** `credential.use`: it went to the upstream; `token.release`: to a proxy that sends by itself. */
  action: Extract<AuditAction, 'credential.use' | 'token.release'>;
  store: Pick<AuditStore, 'insert'>;
  bus: Pick<Bus, 'publish'>;
  runtime: Runtime;
  log: Logger;
}): CredentialUses {
  const { action, store, bus, runtime, log } = deps;
  /** By the caller's credential, then by upstream. */
  let tallies = new Map<string, Map<string, Tally[]>>();
  const waiting: TimedEvent[] = [];
  const over = new AbortController();

  function tallyOf(principal: Principal, upstream: Upstream, credential: Credential, result: string): Tally {
    const { credentialId, userId } = principal;
    let byUpstream = tallies.get(credentialId);
    if (byUpstream === undefined) tallies.set(credentialId, (byUpstream = new Map()));
    let few = byUpstream.get(upstream.id);
    if (few === undefined) byUpstream.set(upstream.id, (few = []));
    const grant = credential.source === null ? null : credential.source.grantId;
    for (const tally of few) if (tally.result === result && tally.grant === grant) return tally;
    const { use } = upstream.credential;
    const rule = use === 'sign-in' && grant === null ? 'fallback' : use;
    const first = runtime.now();
    const none = { count: 0, first, last: first, address: null };
    const fresh = { userId, credentialId, upstreamId: upstream.id, rule, grant, result, ...none };
    few.push(fresh);
    return fresh;
  }

  function gather(): void {
    const at = runtime.now();
    for (const byUpstream of tallies.values())
      for (const few of byUpstream.values())
        for (const tally of few)
          waiting.push({ id: newTimedId(runtime, 'evt', at), at, action, ...eventOf(tally) });
    tallies = new Map();
    const lost = waiting.splice(0, Math.max(0, waiting.length - MAX_WAITING)).length;
    if (lost > 0) log.error({ lost }, 'the database was away too long: the oldest credential uses are lost');
  }

  async function write(): Promise<void> {
    gather();
    if (waiting.length === 0) return;
    try {
      while (waiting.length > 0) {
        const batch = waiting.slice(0, MOST_AT_ONCE);
        await store.insert(batch);
        waiting.splice(0, batch.length);
      }
      bus.publish({ topic: 'audit-stored' });
    } catch (error) {
      log.warn({ err: error, waiting: waiting.length }, 'credential uses wait for the database');
    }
  }

  const writing = (async () => {
    while (!over.signal.aborted) {
      await runtime.sleep(MINUTE - (runtime.now() % MINUTE), over.signal).catch(() => {});
      await write();
    }
    await write();
  })();

  return {
    count({ principal, upstream, credential, result, address }) {
      if (principal === null || upstream === null || credential === null) return;
      const tally = tallyOf(principal, upstream, credential, result);
      tally.count += 1;
      tally.last = runtime.now();
      tally.address = address ?? null;
    },
    async [Symbol.asyncDispose]() {
      over.abort();
      await writing;
    },
  };
}

const eventOf = (tally: Tally): Omit<TimedEvent, 'id' | 'at' | 'action'> => ({
  userId: tally.userId,
  credentialId: tally.credentialId,
  address: tally.address,
  target: tally.upstreamId,
  detail: {
    count: tally.count,
    result: tally.result,
    rule: tally.rule,
    grant: tally.grant,
    first: new Date(tally.first).toISOString(),
    last: new Date(tally.last).toISOString(),
  },
});
