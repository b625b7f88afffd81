import type { EntryReader } from '../config/entries.ts';
import { AppError } from '../platform/errors.ts';
import type { Upstream } from '../terms/upstream.ts';
import { definitionOf, keyIn, keyOf, type UpstreamDraft, valuesOf } from './definition.ts';
import type { Upstreams } from './upstreams.ts';

/** What admins do to upstreams. Each act holds at once in this process, and within 5 s in every other. */
export interface UpstreamEdits {
  /** @throws AppError `bad_request` for a draft that does not hold, `conflict` for an id that is taken */
  create(draft: UpstreamDraft): Promise<void>;
  /** A key that is left out is kept. @throws AppError as `create`, `not_found` */
  update(id: string, draft: UpstreamDraft): Promise<void>;
  /** The upstream that a draft would make; with the key of one that is there, where it keeps that. @throws AppError `bad_request` */
  compose(draft: UpstreamDraft, id: string | undefined): Upstream;
}

export function createUpstreamEdits(deps: {
  upstreams: Upstreams;
  reader: EntryReader;
  providers: { list(): readonly { readonly id: string }[] };
}): UpstreamEdits {
  const { upstreams, reader } = deps;

  /** @param stored the URL and the key of the upstream that is changed */
  function read(draft: UpstreamDraft, stored: { url: string; key: string | null } | null): Upstream {
    const wanted = keyIn(draft);
    const key = wanted === 'keep' ? (stored?.key ?? null) : (wanted?.key ?? null);
    const upstream = reader.upstream(
      valuesOf(draft, key),
      deps.providers.list().map(provider => provider.id),
    );
    // Whoever may change an upstream was never shown its key, and cannot have it sent to a server of their own either.
    if (wanted === 'keep' && upstream.url.origin !== new URL(stored!.url).origin) {
      throw new AppError(
        'bad_request',
        `credential.key: enter it again; the stored one was given for ${new URL(stored!.url).origin}`,
      );
    }
    return upstream;
  }

  return {
    async create(draft) {
      const upstream = read(draft, null);
      await upstreams.create(definitionOf(upstream), keyOf(upstream));
    },

    async update(id, draft) {
      if (draft.id !== id)
        throw new AppError('bad_request', 'id: it cannot change; add another upstream, and remove this one');
      await upstreams.update(id, before => {
        const keeps = keyIn(draft) === 'keep';
        const upstream = read(draft, {
          url: before.definition.url,
          key: keeps ? before.secret() : null,
        });
        return { definition: definitionOf(upstream), secret: keyOf(upstream) };
      });
    },

    compose(draft, id) {
      const before = id === undefined ? undefined : upstreams.find(id);
      return read(draft, before === undefined ? null : { url: before.url.href, key: keyOf(before) });
    },
  };
}
