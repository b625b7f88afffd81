import type { EntryReader } from '../config/entries.ts';
import type { Bus } from '../platform/bus.ts';
import type { DefinitionStore } from '../platform/definitions/definition-store.ts';
import { createDefinitions, type Definitions } from '../platform/definitions/definitions.ts';
import type { Logger } from '../platform/log.ts';
import type { Sealer } from '../terms/sealer.ts';
import type { Upstream } from '../terms/upstream.ts';
import { type UpstreamDefinition, valuesOf } from './definition.ts';

/** The destinations this gateway knows: those of the configuration file, and those that admins added. */
export type Upstreams = Definitions<Upstream, UpstreamDefinition>;

export const createUpstreams = (deps: {
  configured: readonly Upstream[];
  store: DefinitionStore;
  sealer: Sealer & { readonly kid: string };
  reader: EntryReader;
  bus: Pick<Bus, 'publish'>;
  log: Logger;
}): Upstreams =>
  createDefinitions({
    ...deps,
    what: 'upstream',
    // A provider that was removed leaves the upstream without a credential, as its removal said; not without its place here.
    read: (definition, key) => deps.reader.upstream(valuesOf(definition, key), null),
    changed: upstreamId => deps.bus.publish({ topic: 'upstream-changed', upstreamId }),
  });
