import type { Logger } from '../platform/log.ts';
import type { Audit } from '../terms/audit.ts';
import { gatewayFor } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import { TERMINAL_RULES, type Upstream } from '../terms/upstream.ts';
import type { Servant } from './dial.ts';
import type { Terminal, TerminalStore } from './terminal-store.ts';

/** A server that cannot be told to delete one is not asked for ever, milliseconds. */
const GIVE_UP = 24 * 60 * 60_000;
/** Looks are no further apart than this, and no closer, milliseconds. */
const RARELY = 30_000;
const OFTEN = 500;

/**
 * Deletes terminals at their servers that nobody is attached to: made and never attached, left, or forgotten by a gateway that was killed.
 * @returns looks, where it is time to
 */
export function createOrphans(deps: {
  store: Pick<TerminalStore, 'touch' | 'idle' | 'remove'>;
  servant: Pick<Servant, 'remove'>;
  upstreams: { find(id: string): Upstream | undefined; list(): readonly Upstream[] };
  /** Those that this process holds open. */
  held(): readonly Pick<Terminal, 'upstreamId' | 'id'>[];
  changed(userId: string): void;
  audit: Audit;
  log: Logger;
  now(): number;
}): () => Promise<void> {
  const { store, upstreams, now } = deps;
  let lookedAt = now();
  let looking = false;

  const ruleOf = (upstream: Upstream | undefined) => (upstream?.terminal ?? TERMINAL_RULES).orphanAfter;

  async function look(least: number): Promise<void> {
    const held = deps.held();
    await store.touch(held);
    const open = new Set(held.map(({ upstreamId, id }) => `${upstreamId}\0${id}`));
    for (const orphan of await store.idle(least)) {
      const upstream = upstreams.find(orphan.upstreamId);
      if (open.has(`${orphan.upstreamId}\0${orphan.id}`) || orphan.idle < ruleOf(upstream)) continue;
      if (upstream === undefined || (await gone(upstream, orphan))) {
        await store.remove(orphan.upstreamId, orphan.id);
        deps.changed(orphan.userId);
        const detail = { terminal: orphan.id, why: 'orphan' };
        deps.audit.record({
          action: 'terminal.remove',
          ...gatewayFor(orphan.userId),
          target: orphan.upstreamId,
          detail,
        });
      }
    }
  }

  async function gone(upstream: Upstream, terminal: Terminal & { idle: number }): Promise<boolean> {
    try {
      if (await deps.servant.remove({ principal: ownerOf(terminal), upstream, terminal })) return true;
    } catch (error) {
      const reason = (error as Error).message;
      deps.log.warn(
        { upstream: upstream.id, reason },
        'a terminal that nobody uses could not be deleted; tried again',
      );
    }
    return terminal.idle > GIVE_UP;
  }

  return async () => {
    const rules = upstreams
      .list()
      .filter(({ kind }) => kind === 'terminal')
      .map(ruleOf);
    const least = Math.min(TERMINAL_RULES.orphanAfter, ...rules);
    const pause = Math.min(RARELY, Math.max(OFTEN, least / 4));
    if (looking || now() - lookedAt < pause) return;
    looking = true;
    try {
      await look(least);
    } finally {
      lookedAt = now();
      looking = false;
    }
  };
}

/** In whose name a server is asked, when nobody of theirs is here: what they may use does not matter to an end. */
const ownerOf = ({ userId }: Terminal): Principal => ({
  userId,
  email: null,
  name: null,
  groups: [],
  admin: false,
  proof: 'key',
  credentialId: 'gateway',
  grantId: null,
  scope: null,
});
