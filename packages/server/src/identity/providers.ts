import type { EntryReader } from '../config/entries.ts';
import type { DefinitionStore } from '../platform/definitions/definition-store.ts';
import { createDefinitions, type Definitions } from '../platform/definitions/definitions.ts';
import type { Logger } from '../platform/log.ts';
import type { Provider } from '../terms/provider.ts';
import type { Sealer } from '../terms/sealer.ts';
import { type ProviderDefinition, valuesOf } from './provider-definition.ts';

/** Where people sign in: the providers of the configuration file, and those that admins added. */
export type Providers = Definitions<Provider, ProviderDefinition>;

export const createProviders = (deps: {
  configured: readonly Provider[];
  store: DefinitionStore;
  sealer: Sealer & { readonly kid: string };
  reader: EntryReader;
  /** @param was null for one that is new, or that could not be used */
  changed(id: string, was: Provider | null): void;
  log: Logger;
}): Providers =>
  createDefinitions({
    ...deps,
    what: 'provider',
    read: (definition, secret) => deps.reader.provider(valuesOf(definition, secret)),
  });
