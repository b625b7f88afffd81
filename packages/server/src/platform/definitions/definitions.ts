import type { Sealer, Shelf } from '../../terms/sealer.ts';
import { sha256 } from '../crypto.ts';
import { AppError, asAppError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type {
  Defined,
  DefinitionStore,
  SealedDefinition,
  StoredDefinition,
  Written,
} from './definition-store.ts';

/** A definition without its secret: what an admin wrote, completed. Kept as JSON. */
export type Plain = { readonly id: string };

/** One thing that is defined, and where: by the configuration file, or by an admin here. */
export type Entry<T, D> =
  | { readonly source: 'file'; readonly id: string; readonly item: T; readonly problem: null }
  | {
      readonly source: 'database';
      readonly id: string;
      readonly definition: D;
      readonly hasSecret: boolean;
      /** Null while it cannot be used; `problem` says why. */
      readonly item: T | null;
      readonly problem: string | null;
      readonly version: number;
    };

/** A definition as it was, for a change to be made from it. */
export interface Before<D> {
  readonly definition: D;
  /** @throws AppError `seal_broken` */
  secret(): string | null;
}

export interface Definitions<T extends Plain, D extends Plain> {
  /** Synchronous: stands on the warm path of every call. */
  find(id: string): T | undefined;
  /** Those of the file first, in its order, then those of the database in the order in which they were added. */
  list(): readonly T[];
  /** All, those included that cannot be used. */
  entries(): readonly Entry<T, D>[];
  /** Reads what was changed, here or in another process; nothing where nothing was. */
  load(): Promise<void>;
  /** @throws AppError `conflict` */
  create(definition: D, secret: string | null): Promise<void>;
  /**
   * @param change throws to change nothing
   * @throws AppError `not_found`, or `conflict` for one of the file
   */
  update(id: string, change: (before: Before<D>) => { definition: D; secret: string | null }): Promise<void>;
  /** @throws AppError as `update` */
  remove(id: string): Promise<void>;
  /** The sealed secrets, for a rotation of keys. */
  readonly shelf: Shelf;
}

/**
 * What is defined by the configuration file and by admins, as one list in memory. The file wins: an id of it cannot be taken here, and where
 * it takes one later, the definition here rests until the file lets go.
 */
export function createDefinitions<T extends Plain, D extends Plain>(deps: {
  what: Defined;
  configured: readonly T[];
  store: DefinitionStore;
  sealer: Sealer & { readonly kid: string };
  /** @throws AppError for a definition that does not hold, with the options the gateway has now */
  read(definition: D, secret: string | null): T;
  /** This process's list is another now. @param was null for one that is new, or that could not be used */
  changed(id: string, was: T | null): void;
  log: Logger;
}): Definitions<T, D> {
  const { what, configured, store, sealer, log } = deps;
  const ofFile = new Map(configured.map(item => [item.id, item]));
  const fileEntries = configured.map(item => ({
    source: 'file' as const,
    id: item.id,
    item,
    problem: null,
  }));
  let held: readonly Extract<Entry<T, D>, { source: 'database' }>[] = [];
  let byId: ReadonlyMap<string, T> = ofFile;
  let items: readonly T[] = configured;
  let revision = 0;
  let loading: Promise<void> = Promise.resolve();

  const openedSecret = (row: StoredDefinition): string | null =>
    row.envelope === null ? null : sealer.open(row.envelope, placeOf(what, row));

  function toEntry(row: StoredDefinition): (typeof held)[number] {
    const known = held.find(entry => entry.id === row.id && entry.version === row.version);
    if (known !== undefined) return known;
    const definition = JSON.parse(row.definition) as D;
    const { id, version } = row;
    const base = { source: 'database' as const, id, definition, version, hasSecret: row.envelope !== null };
    if (ofFile.has(id)) {
      const problem = 'The configuration file has one of this id now, and that one counts.';
      return { ...base, item: null, problem };
    }
    try {
      return { ...base, item: deps.read(definition, openedSecret(row)), problem: null };
    } catch (thrown) {
      // One that cannot be used keeps no other from being used.
      const { code, message } = asAppError(thrown);
      log.error({ [what]: id, code }, `a stored ${what} cannot be used`);
      return { ...base, item: null, problem: message };
    }
  }

  async function read(): Promise<void> {
    // Read before the rows: what is written in between is found again at the next look.
    const now = await store.revision();
    if (now === revision) return;
    const before = new Map(held.map(entry => [entry.id, entry]));
    held = (await store.list()).map(toEntry);
    revision = now;
    const usable = held.flatMap(entry => (entry.item === null ? [] : [entry.item]));
    items = [...configured, ...usable];
    byId = new Map(items.map(item => [item.id, item]));
    const after = new Map(held.map(entry => [entry.id, entry]));
    for (const id of new Set([...before.keys(), ...after.keys()]))
      if (before.get(id) !== after.get(id)) deps.changed(id, before.get(id)?.item ?? null);
  }

  /** One after the other, so that an older look never replaces a newer one. */
  function load(): Promise<void> {
    const mine = loading.catch(() => {}).then(read);
    loading = mine;
    return mine;
  }

  function written(definition: D, secret: string | null, version: number): Written {
    const text = JSON.stringify(definition);
    if (secret === null) return { definition: text, envelope: null, kid: null };
    const place = placeOf(what, { id: definition.id, version, definition: text });
    return { definition: text, envelope: sealer.seal(secret, place), kid: sealer.kid };
  }

  const beforeOf = (row: StoredDefinition): Before<D> => ({
    definition: JSON.parse(row.definition) as D,
    secret: () => openedSecret(row),
  });

  function refuseMissing(id: string): never {
    if (ofFile.has(id)) throw inTheFile(what, id);
    throw new AppError('not_found', `There is no such ${what}.`);
  }

  return {
    find: id => byId.get(id),
    list: () => items,
    entries: () => [...fileEntries, ...held],
    load,

    async create(definition, secret) {
      if (ofFile.has(definition.id)) throw inTheFile(what, definition.id);
      if (!(await store.insert(definition.id, version => written(definition, secret, version))))
        throw new AppError('conflict', `The id "${definition.id}" is taken already; choose another.`);
      await load();
    },

    async update(id, change) {
      if (ofFile.has(id)) throw inTheFile(what, id);
      const found = await store.update(id, (row, version) => {
        const { definition, secret } = change(beforeOf(row));
        return written(definition, secret, version);
      });
      await load();
      if (!found) refuseMissing(id);
    },

    async remove(id) {
      const found = await store.remove(id);
      await load();
      if (!found) refuseMissing(id);
    },

    shelf: {
      kids: store.kids,
      reseal: store.reseal,
      sealedOtherwise: async (...wanted: Parameters<DefinitionStore['sealedOtherwise']>) =>
        (await store.sealedOtherwise(...wanted)).map(row => ({ ...row, place: placeOf(what, row) })),
    } as Shelf<SealedDefinition & { place: string }>,
  };
}

/** With the definition's hash: who can write to the database cannot have a key sent to another address. */
const placeOf = (what: Defined, row: Pick<StoredDefinition, 'id' | 'version' | 'definition'>): string =>
  `${what}\0${row.id}\0${row.version}\0${sha256(row.definition)}`;

const inTheFile = (what: Defined, id: string): AppError =>
  new AppError(
    'conflict',
    `The ${what} "${id}" stands in the configuration file: change it there and restart the gateway.`,
  );
