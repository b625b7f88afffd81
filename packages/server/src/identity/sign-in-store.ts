import { sql } from 'kysely';
import { type Db, dbNow } from '../platform/db/db.ts';

/** A sign-in that has left for its provider. */
export interface StartedSignIn {
  readonly stateHash: string;
  readonly provider: string;
  readonly browserHash: string;
  readonly envelope: string;
}

/** One that came back, taken by exactly one request. */
export interface TakenSignIn {
  readonly stateHash: string;
  readonly envelope: string;
  /** The sealed parameters of a form_post answer that waited. */
  readonly answer: string | null;
}

/** By what a returning browser names its sign-in: the state itself, or the id under which a form_post answer waits. */
export type SignInKey = { readonly stateHash: string } | { readonly answerHash: string };

export type StateRefusal =
  | 'state_unknown'
  | 'state_used'
  | 'state_expired'
  | 'other_provider'
  | 'other_browser';

export function createSignInStore(db: Db) {
  const byKey = (key: SignInKey) =>
    'stateHash' in key
      ? (['state_hash', key.stateHash] as const)
      : (['answer_hash', key.answerHash] as const);

  return {
    async start(signIn: StartedSignIn, lifetime: number): Promise<void> {
      await db
        .insertInto('sign_ins')
        .values({
          state_hash: signIn.stateHash,
          provider: signIn.provider,
          browser_hash: signIn.browserHash,
          envelope: signIn.envelope,
          answer_hash: null,
          answer: null,
          created_at: dbNow,
          expires_at: sql<number>`${dbNow} + ${lifetime}`,
          used_at: null,
        })
        .execute();
    },

    /** Keeps a form_post answer until its browser comes for it. The first answer to a state is the only one. @returns whether it was kept */
    async keepAnswer(answer: {
      stateHash: string;
      provider: string;
      answerHash: string;
      envelope: string;
    }): Promise<boolean> {
      const result = await db
        .updateTable('sign_ins')
        .set({ answer_hash: answer.answerHash, answer: answer.envelope })
        .where('state_hash', '=', answer.stateHash)
        .where('provider', '=', answer.provider)
        .where('answer_hash', 'is', null)
        .where('used_at', 'is', null)
        .where('expires_at', '>', dbNow)
        .executeTakeFirst();
      return result.numUpdatedRows > 0n;
    },

    /**
     * Takes a sign-in, once, for its own provider and browser. Whatever does not fit leaves it untouched, so that nobody can spoil
     * another's sign-in by guessing at it.
     */
    async take(key: SignInKey, provider: string, browserHash: string): Promise<TakenSignIn | null> {
      const [column, value] = byKey(key);
      const row = await db
        .updateTable('sign_ins')
        .set({ used_at: dbNow })
        .where(column, '=', value)
        .where('provider', '=', provider)
        .where('browser_hash', '=', browserHash)
        .where('used_at', 'is', null)
        .where('expires_at', '>', dbNow)
        .returning(['state_hash', 'envelope', 'answer'])
        .executeTakeFirst();
      return row === undefined
        ? null
        : { stateHash: row.state_hash, envelope: row.envelope, answer: row.answer };
    },

    /** Why a sign-in could not be taken (or, `answering`, its answer not be kept), for the audit and the page. */
    async whyNot(key: SignInKey, provider: string, answering = false): Promise<StateRefusal> {
      const [column, value] = byKey(key);
      const row = await db
        .selectFrom('sign_ins')
        .select([
          'provider',
          'browser_hash',
          'used_at',
          'answer_hash',
          sql<number>`case when expires_at <= ${dbNow} then 1 else 0 end`.as('expired'),
        ])
        .where(column, '=', value)
        .executeTakeFirst();
      if (row === undefined) return 'state_unknown';
      if (row.provider !== provider) return 'other_provider';
      if (row.used_at !== null || (answering && row.answer_hash !== null)) return 'state_used';
      if (row.expired === 1) return 'state_expired';
      return 'other_browser';
    },

    /** Those under way at a provider that is removed: what comes back for them is not to be taken to another of its name. */
    async forgetAt(provider: string): Promise<void> {
      await db.deleteFrom('sign_ins').where('provider', '=', provider).execute();
    },

    /** @returns how many were over and are gone now */
    async purge(): Promise<number> {
      const result = await db.deleteFrom('sign_ins').where('expires_at', '<=', dbNow).executeTakeFirst();
      return Number(result.numDeletedRows);
    },
  };
}

export type SignInStore = ReturnType<typeof createSignInStore>;
