import type { Bus } from '../platform/bus.ts';
import { sha256 } from '../platform/crypto.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Params } from './json-rpc.ts';
import { InitializeRefused, LegacyBack } from './legacy-back.ts';
import type { Link, LinkListener } from './link.ts';
import { tooMany } from './refusal.ts';
import { sorted } from './request-state.ts';

export type Isolation = 'shared' | 'principal' | 'session';

/** What a session declares that several clients use: what one of them cannot do is refused for that one. */
const EVERYTHING: Params = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };

/** A session that nobody uses is ended after so long, milliseconds. */
const IDLE = 5 * 60_000;
/** In one process, and of one principal. */
const MOST = 2_000;
const MOST_OF_ONE = 20;
/** Declarations that are remembered, and the characters of one. */
const MOST_KINDS = 500;
const LARGEST_KIND = 2_000;

interface Kept {
  readonly back: LegacyBack;
  /** Null when it has begun. */
  begun: Promise<void> | null;
  readonly userId: string;
  readonly upstreamId: string;
  usedAt: number;
}

/** Sessions at legacy servers: one for a principal, a server, and what the principal's client can do. */
export interface LegacyPool extends AsyncDisposable {
  /**
   * @param own of a client's session that wants one for itself, where the agent isolates sessions
   * @throws AppError where the server takes no session; Refusal where there are too many
   */
  session(
    principal: Principal,
    upstream: Upstream,
    capabilities: Params,
    own?: string,
  ): LegacyBack | Promise<LegacyBack>;
  /** Ends those that nobody used for long. */
  sweep(): void;
}

export function createLegacyPool(deps: {
  open(principal: Principal, upstream: Upstream, instance: string, listener: LinkListener): Link;
  /** Of a server that speaks in lines, who shares its process; null for one over HTTP. */
  isolationOf(upstream: Upstream): Isolation | null;
  /** It said so when a session was begun. */
  isModern(principal: Principal, upstream: Upstream): void;
  runtime: Pick<Runtime, 'monotonic' | 'sleep'>;
  bus: Pick<Bus, 'subscribe'>;
}): LegacyPool {
  const { runtime } = deps;
  const all = new Map<string, Kept>();
  const kinds = new Kinds();
  const unsubscribe = deps.bus.subscribe(notice => {
    if (notice.topic === 'upstream-changed') end(kept => kept.upstreamId === notice.upstreamId);
    // Their calls are looked at one by one (forward's); what is left over belongs to nobody.
    if (notice.topic === 'user-changed') end(kept => kept.userId === notice.userId && kept.back.busy === 0);
  });

  function end(which: (kept: Kept) => boolean): void {
    for (const kept of [...all.values()]) if (which(kept)) kept.back.close();
  }

  function sweep(): void {
    const now = runtime.monotonic();
    end(({ back, usedAt }) => back.busy === 0 && now - usedAt > IDLE);
  }

  /** Who shares a session, and what it declares. */
  function place({ userId }: Principal, upstream: Upstream, declared: Params, own: string | undefined) {
    const isolation = deps.isolationOf(upstream);
    if (isolation === 'shared') return { userId: '', key: upstream.id, capabilities: EVERYTHING };
    if (isolation === 'principal')
      return { userId, key: `${userId}\n${upstream.id}`, capabilities: EVERYTHING };
    const kind = isolation === 'session' && own !== undefined ? own : kinds.of(declared);
    return { userId, key: `${userId}\n${upstream.id}\n${kind}`, capabilities: declared };
  }

  function make(
    principal: Principal,
    upstream: Upstream,
    { key, userId, capabilities }: ReturnType<typeof place>,
  ): Kept {
    makeRoom(userId);
    const back = new LegacyBack(listener => deps.open(principal, upstream, sha256(key), listener), runtime);
    const begun = back.begin(capabilities);
    const kept: Kept = {
      back,
      begun,
      userId,
      upstreamId: upstream.id,
      usedAt: runtime.monotonic(),
    };
    all.set(key, kept);
    back.onClosed(() => {
      if (all.get(key) === kept) all.delete(key);
    });
    begun.then(
      () => {
        kept.begun = null;
      },
      (error: unknown) => {
        if (error instanceof InitializeRefused && error.modern) deps.isModern(principal, upstream);
      },
    );
    return kept;
  }

  function makeRoom(userId: string): void {
    const own = [...all.values()].filter(kept => kept.userId === userId);
    const crowded =
      userId !== '' && own.length >= MOST_OF_ONE ? own : all.size >= MOST ? [...all.values()] : null;
    if (crowded === null) return;
    const idle = crowded.filter(({ back }) => back.busy === 0).toSorted((a, b) => a.usedAt - b.usedAt)[0];
    if (idle === undefined) throw tooMany('sessions');
    idle.back.close();
  }

  return {
    session(principal, upstream, declared, own) {
      const placed = place(principal, upstream, declared, own);
      const kept = all.get(placed.key) ?? make(principal, upstream, placed);
      kept.usedAt = runtime.monotonic();
      return kept.begun === null ? kept.back : kept.begun.then(() => kept.back);
    },
    sweep,
    async [Symbol.asyncDispose]() {
      unsubscribe();
      end(() => true);
    },
  };
}

/** What clients declare, in few words: the same ones say the same with each call. */
class Kinds {
  readonly #known = new Map<string, string>();

  of(declared: Params): string {
    const said = JSON.stringify(declared);
    let kind = this.#known.get(said);
    if (kind === undefined) {
      kind = sha256(JSON.stringify(sorted(declared)));
      if (this.#known.size >= MOST_KINDS) this.#known.clear();
      if (said.length <= LARGEST_KIND) this.#known.set(said, kind);
    }
    return kind;
  }
}
