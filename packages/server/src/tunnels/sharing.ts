import { AppError } from '../platform/errors.ts';
import type { Actor, Audit } from '../terms/audit.ts';
import type { AccessRule } from '../terms/upstream.ts';
import type { Entry, Registry } from './registry.ts';
import type { TunnelStore } from './tunnel-store.ts';
import type { TunnelTools } from './tunnel-tools.ts';

/** What is to be otherwise; what is left out stays. */
export interface Change {
  readonly shared?: AccessRule | undefined;
  readonly alias?: string | null | undefined;
  readonly tools?: TunnelTools | null | undefined;
}

export interface Sharing {
  /** Holds at once: calls of those who may no longer make them break off. @throws AppError `conflict` for a plain name that is taken, `bad_request` for tools of what has none */
  change(entry: Entry, change: Change, by: Actor): Promise<void>;
  /** Disconnects it, and forgets with whom it was shared. */
  remove(entry: Entry, by: Actor): Promise<void>;
}

/** What owners and admins do to tunnels. */
export function createSharing(deps: {
  store: Pick<TunnelStore, 'share' | 'setAlias' | 'setTools' | 'remove'>;
  registry: Registry;
  /** Whether an upstream is called so. */
  taken(name: string): boolean;
  audit: Audit;
}): Sharing {
  const { store, registry, audit } = deps;

  async function giveAlias({ tunnel }: Entry, alias: string | null): Promise<void> {
    const handle = registry.list().some(other => other.tunnel.handle === alias);
    if (alias !== null && (handle || deps.taken(alias)))
      throw new AppError('conflict', `The name ${alias} is an upstream's or a user's already.`);
    if (!(await store.setAlias(tunnel.id, alias)))
      throw new AppError('conflict', `The name ${alias} is another tunnel's already.`);
  }

  return {
    async change(entry, { shared, alias, tools }, by) {
      if (tools != null && entry.upstream.kind !== 'mcp')
        throw new AppError('bad_request', 'Only MCP servers have tools.');
      if (alias !== undefined) await giveAlias(entry, alias);
      // Addresses are compared in lower case, as they are kept.
      const users = shared?.users.map(user => (user.includes('@') ? user.toLowerCase() : user));
      const rule = shared === undefined ? entry.tunnel.shared : { ...shared, users: users! };
      if (shared !== undefined) await store.share(entry.tunnel.id, rule);
      if (tools !== undefined) await store.setTools(entry.tunnel.id, tools);
      registry.put({
        ...entry.tunnel,
        shared: rule,
        tools: tools === undefined ? entry.tunnel.tools : tools,
        alias: alias === undefined ? entry.tunnel.alias : alias,
      });
      audit.record({
        action: 'tunnel.share',
        ...by,
        target: entry.upstream.id,
        detail: {
          everyone: rule.everyone,
          users: rule.users.length,
          groups: rule.groups.length,
          alias: entry.tunnel.alias,
          tools: entry.tunnel.tools === null ? null : JSON.stringify(entry.tunnel.tools),
        },
      });
    },

    async remove(entry, by) {
      const { live, tunnel, upstream } = entry;
      await store.remove(tunnel.id);
      registry.drop(tunnel.id);
      audit.record({ action: 'tunnel.remove', ...by, target: upstream.id });
      if (live === null) return;
      // What is under way goes with it where its agent serves nothing else; its own calls break off in any case, as the upstream is gone.
      registry.leave(entry, live.connection);
      const others = registry.list().some(other => other.live?.connection === live.connection);
      if (!others) await live.connection.bye('disconnected', 'its owner or an admin disconnected it');
    },
  };
}
