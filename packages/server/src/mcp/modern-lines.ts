import type { Bus } from '../platform/bus.ts';
import { sha256 } from '../platform/crypto.ts';
import { asAppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { LineWanted, MessageLine, MessageLineEvents } from '../terms/message-line.ts';
import type { Principal } from '../terms/principal.ts';
import type { Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { breakOff } from './answer.ts';
import type { Isolation } from './legacy-pool.ts';
import { ModernLine } from './modern-line.ts';

/** A program that nobody uses is let go after so long, milliseconds. */
const IDLE = 5 * 60_000;

interface Kept {
  readonly line: ModernLine;
  readonly userId: string;
  readonly upstreamId: string;
  usedAt: number;
}

/** Ways to modern servers that speak in lines: to the one program of all, of a person, or of a client's session. */
export interface ModernLines extends AsyncDisposable {
  /** @param own of a client's session that wants one for itself, where the agent isolates sessions */
  way(principal: Principal, upstream: Upstream, own?: string): Transport;
  /** The client's session is over. */
  end(own: string): void;
  sweep(): void;
}

export function createModernLines(deps: {
  open(upstream: Upstream, wanted: LineWanted, events: MessageLineEvents): MessageLine;
  isolationOf(upstream: Upstream): Isolation | null;
  runtime: Pick<Runtime, 'monotonic' | 'sleep'>;
  bus: Pick<Bus, 'subscribe'>;
}): ModernLines {
  const { runtime } = deps;
  const all = new Map<string, Kept>();
  const unsubscribe = deps.bus.subscribe(notice => {
    if (notice.topic === 'upstream-changed') end(({ upstreamId }) => upstreamId === notice.upstreamId);
    if (notice.topic === 'user-changed') end(({ userId, line }) => userId === notice.userId && !line.busy);
  });

  function end(which: (kept: Kept, key: string) => boolean): void {
    for (const [key, kept] of [...all]) if (which(kept, key)) kept.line.close();
  }

  function place({ userId }: Principal, upstream: Upstream, own: string): { key: string; userId: string } {
    const isolation = deps.isolationOf(upstream);
    if (isolation === 'shared') return { key: upstream.id, userId: '' };
    return { key: `${upstream.id}\n${userId}${isolation === 'session' ? `\n${own}` : ''}`, userId };
  }

  function lineOf(principal: Principal, upstream: Upstream, own: string): ModernLine {
    const { key, userId } = place(principal, upstream, own);
    const known = all.get(key);
    if (known !== undefined) {
      known.usedAt = runtime.monotonic();
      return known.line;
    }
    const line = new ModernLine(
      events => deps.open(upstream, { instance: sha256(key) }, events),
      runtime,
      () => {
        if (all.get(key)?.line === line) all.delete(key);
      },
    );
    all.set(key, { line, userId, upstreamId: upstream.id, usedAt: runtime.monotonic() });
    return line;
  }

  return {
    way: (principal, upstream, own = '') => ({
      send(request, receiver) {
        try {
          lineOf(principal, upstream, own).send(principal.userId, request, receiver);
        } catch (error) {
          breakOff(receiver, asAppError(error));
        }
      },
    }),
    end: own => end((_kept, key) => key.endsWith(`\n${own}`)),
    sweep() {
      const now = runtime.monotonic();
      end(({ line, usedAt }) => !line.busy && now - usedAt > IDLE);
    },
    async [Symbol.asyncDispose]() {
      unsubscribe();
      end(() => true);
    },
  };
}
