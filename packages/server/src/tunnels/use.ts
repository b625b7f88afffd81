import type { Bus } from '../platform/bus.ts';
import type { Registry } from './registry.ts';
import type { Tally } from './tally.ts';

/**
 * Looks which tunnels were used since it last looked, and tells those who may see their figures. Calls themselves tell nobody: they would
 * have to do it hundreds of times a second.
 */
export function createUseWatch(deps: {
  registry: Pick<Registry, 'list'>;
  bus: Pick<Bus, 'publish'>;
}): () => Promise<void> {
  const told = new WeakMap<Tally, string>();
  return async () => {
    const used = deps.registry.list().filter(({ live }) => {
      if (live === null) return false;
      const { calls, underWay, sockets, bytesUp, bytesDown, lastError } = live.tally;
      const now = `${calls} ${underWay} ${sockets} ${bytesUp} ${bytesDown} ${lastError?.at}`;
      if (now === (told.get(live.tally) ?? '0 0 0 0 0 undefined')) return false;
      told.set(live.tally, now);
      return true;
    });
    if (used.length > 0)
      deps.bus.publish({ topic: 'tunnels-used', access: used.map(({ upstream }) => upstream.access) });
  };
}
