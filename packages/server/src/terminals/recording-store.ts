import { newId } from '../platform/crypto.ts';
import { type Db, dbNow } from '../platform/db/db.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { SealedRecord, Sealer, Shelf } from '../terms/sealer.ts';

/** What was printed in a terminal, from its attachment to its end. */
export interface Recording {
  /** `rec_…` */
  readonly id: string;
  readonly upstreamId: string;
  readonly terminalId: string;
  readonly userId: string;
  readonly email: string | null;
  readonly cols: number;
  readonly rows: number;
  /** Of output. */
  readonly bytes: number;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  readonly endedAt: number | null;
}

/** Pieces are read so many at a time: half a megabyte each at most. */
const BATCH = 8;

/** Numbers in the order of texts. */
const pieceId = (recordingId: string, number: number): string =>
  `${recordingId}.${String(number).padStart(9, '0')}`;
const placeOf = (id: string): string => `recording\0${id}`;

/** Recordings, each a row that anybody who may see it sees, and pieces that are sealed. */
export function createRecordingStore(deps: {
  db: Db;
  sealer: Sealer & { readonly kid: string };
  runtime: Pick<Runtime, 'random'>;
}) {
  const { db, sealer } = deps;

  const rows = () =>
    db
      .selectFrom('recordings')
      .leftJoin('users', 'users.id', 'recordings.user_id')
      .selectAll('recordings')
      .select('users.email');

  async function list(wanted: { userId: string | null; upstreamId: string | null }): Promise<Recording[]> {
    let query = rows().orderBy('recordings.started_at', 'desc').orderBy('recordings.id').limit(500);
    if (wanted.userId !== null) query = query.where('recordings.user_id', '=', wanted.userId);
    if (wanted.upstreamId !== null) query = query.where('recordings.upstream_id', '=', wanted.upstreamId);
    return (await query.execute()).map(toRecording);
  }

  const shelf: Shelf = {
    async sealedOtherwise(kid, after, limit) {
      const found = await db
        .selectFrom('recording_pieces')
        .select(['id', 'envelope'])
        .where('kid', '!=', kid)
        .where('id', '>', after)
        .orderBy('id')
        .limit(limit)
        .execute();
      return found.map(({ id, envelope }): SealedRecord => ({ id, envelope, place: placeOf(id) }));
    },
    async reseal(before, envelope, kid) {
      const result = await db
        .updateTable('recording_pieces')
        .set({ envelope, kid })
        .where('id', '=', before.id)
        .where('envelope', '=', before.envelope)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },
    async kids() {
      const found = await db
        .selectFrom('recording_pieces')
        .select(['kid', eb => eb.fn.countAll<number | string>().as('count')])
        .groupBy('kid')
        .execute();
      return found.map(({ kid, count }) => ({ kid, count: Number(count) }));
    },
  };

  return {
    shelf,
    list,

    async find(id: string): Promise<Recording | null> {
      const row = await rows().where('recordings.id', '=', id).executeTakeFirst();
      return row === undefined ? null : toRecording(row);
    },

    newId: () => newId(deps.runtime, 'rec'),

    async begin(
      recording: Pick<Recording, 'id' | 'upstreamId' | 'terminalId' | 'userId' | 'cols' | 'rows'>,
    ): Promise<void> {
      await db
        .insertInto('recordings')
        .values({
          id: recording.id,
          upstream_id: recording.upstreamId,
          terminal_id: recording.terminalId,
          user_id: recording.userId,
          cols: recording.cols,
          rows: recording.rows,
          bytes: 0,
          started_at: dbNow,
          ended_at: null,
        })
        .execute();
    },

    /** @param first number of the first of these pieces. @param bytes of output, with all pieces so far */
    async append(
      recordingId: string,
      first: number,
      pieces: readonly Buffer[],
      bytes: number,
    ): Promise<void> {
      const sealed = pieces.map((piece, n) => {
        const id = pieceId(recordingId, first + n);
        const envelope = sealer.sealBytes(piece, placeOf(id));
        return { id, recording_id: recordingId, envelope, kid: sealer.kid };
      });
      await db.transaction().execute(async trx => {
        const { numUpdatedRows } = await trx
          .updateTable('recordings')
          .set({ bytes })
          .where('id', '=', recordingId)
          .executeTakeFirst();
        // It may have been deleted while it went on.
        if (numUpdatedRows === 0n) return;
        await trx.insertInto('recording_pieces').values(sealed).execute();
      });
    },

    async end(id: string): Promise<void> {
      await db.updateTable('recordings').set({ ended_at: dbNow }).where('id', '=', id).execute();
    },

    /** What was recorded so far, opened piece by piece. */
    async *pieces(recordingId: string): AsyncGenerator<Buffer> {
      let after = '';
      for (;;) {
        const found = await db
          .selectFrom('recording_pieces')
          .select(['id', 'envelope'])
          .where('recording_id', '=', recordingId)
          .where('id', '>', after)
          .orderBy('id')
          .limit(BATCH)
          .execute();
        for (const { id, envelope } of found) yield sealer.openBytes(envelope, placeOf(id));
        if (found.length < BATCH) return;
        after = found.at(-1)!.id;
      }
    },

    async remove(id: string): Promise<void> {
      await db.deleteFrom('recordings').where('id', '=', id).execute();
    },

    /** Forgets those that began longer ago, milliseconds. @returns how many */
    async purge(olderThan: number): Promise<number> {
      const result = await db
        .deleteFrom('recordings')
        .where(eb => eb('started_at', '<', eb(dbNow, '-', olderThan)))
        .executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

export type RecordingStore = ReturnType<typeof createRecordingStore>;

interface Row {
  id: string;
  upstream_id: string;
  terminal_id: string;
  user_id: string;
  email: string | null;
  cols: number;
  rows: number;
  bytes: number;
  started_at: number;
  ended_at: number | null;
}

const toRecording = (row: Row): Recording => ({
  id: row.id,
  upstreamId: row.upstream_id,
  terminalId: row.terminal_id,
  userId: row.user_id,
  email: row.email,
  cols: row.cols,
  rows: row.rows,
  bytes: row.bytes,
  startedAt: row.started_at,
  endedAt: row.ended_at,
});
