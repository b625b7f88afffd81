import type { EntryReader } from '../config/entries.ts';
import { AppError } from '../platform/errors.ts';
import type { Actor } from '../terms/audit.ts';
import type { Provider } from '../terms/provider.ts';
import { definitionOf, type ProviderDraft, sameServer, valuesOf } from './provider-definition.ts';
import type { Providers } from './providers.ts';

/** What admins do to providers. Each act holds at once in this process, and within 5 s in every other. */
export interface ProviderEdits {
  /** @throws AppError `bad_request` for a draft that does not hold, `conflict` for an id that is taken */
  create(draft: ProviderDraft): Promise<void>;
  /** A secret that is left out is kept. @throws AppError as `create`, `not_found` */
  update(id: string, draft: ProviderDraft): Promise<void>;
  /** With the sessions that began there, and the tokens it gave. @throws AppError `not_found`, `conflict` */
  remove(id: string, by: Actor): Promise<void>;
  /** The provider that a draft would make. @throws AppError `bad_request` */
  compose(draft: ProviderDraft): Provider;
}

export function createProviderEdits(deps: {
  providers: Providers;
  reader: EntryReader;
  /** Ends every session and grant of a provider; the tokens are revoked behind it, where they can be. */
  retire(providerId: string, by: Actor): Promise<void>;
}): ProviderEdits {
  const { providers, reader, retire } = deps;
  const ofFile = (id: string) =>
    providers.entries().some(entry => entry.id === id && entry.source === 'file');

  return {
    async create(draft) {
      const secret = draft.client_secret ?? null;
      await providers.create(definitionOf(reader.provider(valuesOf(draft, secret))), secret);
    },

    async update(id, draft) {
      if (draft.id !== id)
        throw new AppError('bad_request', 'id: it cannot change; add another provider, and remove this one');
      await providers.update(id, before => {
        const secret = draft.client_secret === undefined ? before.secret() : draft.client_secret;
        const definition = definitionOf(reader.provider(valuesOf(draft, secret)));
        // Refresh tokens that were given by one server, and the client secret, are not to be sent to another.
        if (!sameServer(before.definition, definition)) {
          throw new AppError(
            'bad_request',
            "issuer: neither it nor protocol and endpoints can change, since people's accounts and tokens hang on them; add another provider, and remove this one",
          );
        }
        return { definition, secret };
      });
    },

    async remove(id, by) {
      // What the file has under this id goes on, and its people with it.
      const resting = ofFile(id);
      if (!resting && providers.entries().some(entry => entry.id === id)) await retire(id, by);
      await providers.remove(id);
      // Who was on the way back from the provider meanwhile.
      if (!resting) await retire(id, by);
    },

    compose: draft => reader.provider(valuesOf(draft, draft.client_secret ?? null)),
  };
}
