import type { Grant } from './grant.ts';
import { usableUntil } from './lifetime.ts';

/**
 * The refresh of one grant as a pure function of what happened: `step(state, event)` gives the next state and the one thing to do next.
 * `refresh.ts` does it for real; the test beside this file does it in every order there is, with crashes.
 *
 * look → claim → send → commit → look → done, and out of each the ways for when somebody was faster or the provider fails.
 */

/** Of a grant's row, what decides. Times are the database's, `now` included. */
export type GrantView = Pick<
  Grant,
  | 'version'
  | 'state'
  | 'attempt'
  | 'attemptDeadline'
  | 'obtainedAt'
  | 'expiresAt'
  | 'retryAt'
  | 'hasRefreshToken'
  | 'now'
>;

export interface RefreshState {
  readonly phase: 'look' | 'wait' | 'claim' | 'send' | 'commit' | 'release' | 'look-again' | 'mark' | 'done';
  /** Names this attempt; a claim is held under it. */
  readonly attempt: string;
  /** The version that the caller has and finds wanting: expired, due, or refused by an upstream. */
  readonly wanting: number;
  /** An upstream refused it: it is of no use, however long it would live. */
  readonly refused: boolean;
  /** The version whose refresh token this attempt redeems; 0 before its first claim. */
  readonly claimed: number;
  /** Claims taken. */
  readonly claims: number;
}

export type Effect =
  | { readonly do: 'read' }
  | { readonly do: 'wait' }
  /** `over`: whose attempt let its deadline pass; null claims an idle grant. */
  | { readonly do: 'claim'; readonly version: number; readonly over: string | null }
  | { readonly do: 'send' }
  | { readonly do: 'commit'; readonly version: number }
  /** `failed`: the provider did; `underway`: the request may still reach it. */
  | { readonly do: 'release'; readonly failed: boolean; readonly underway: boolean }
  | { readonly do: 'mark-reauth'; readonly version: number }
  | { readonly do: 'done'; readonly outcome: RefreshOutcome };

export type RefreshOutcome =
  /** The row holds a living access token; not a newer one where nobody could or needed to get it. */
  | { readonly is: 'usable'; readonly version: number }
  /** No token that would do, and none to be had before `until` (the database's time; null where nothing says when). */
  | { readonly is: 'unavailable'; readonly until: number | null }
  /** Only the user can mend it. */
  | { readonly is: 'reauth-required' }
  | { readonly is: 'gone' };

export type RefreshEvent =
  | { readonly type: 'row'; readonly row: GrantView | null }
  | { readonly type: 'waited' }
  /** A compare-and-swap happened, or somebody was faster. */
  | { readonly type: 'swapped'; readonly won: boolean }
  /** The provider could not be found, so nothing was claimed. */
  | { readonly type: 'unreachable' }
  /** Too little was left until the deadline. */
  | { readonly type: 'unsent' }
  | { readonly type: 'answer'; readonly kind: 'tokens' | 'invalid_grant' }
  | { readonly type: 'answer'; readonly kind: 'transient'; readonly underway: boolean };

export interface Step {
  readonly state: RefreshState;
  readonly effect: Effect;
}

/** One attempt, and one retry: of an abandoned claim, or because the first successor arrived too late to be of use. */
const MAX_CLAIMS = 2;

export function start(wish: { attempt: string; wanting: number; refused: boolean }): Step {
  return look({ ...wish, phase: 'look', claimed: 0, claims: 0 });
}

export function step(state: RefreshState, event: RefreshEvent): Step {
  switch (event.type) {
    case 'row':
      return state.phase === 'look-again' ? afterRefusal(state, event.row) : decide(state, event.row);
    case 'waited':
      return look(state);
    case 'swapped':
      return afterSwap(state, event.won);
    case 'unreachable':
      // No claim will help: what is there has to do.
      return look({ ...state, claims: MAX_CLAIMS });
    case 'unsent':
      return go(state, 'release', { do: 'release', failed: false, underway: false });
    case 'answer':
      return afterAnswer(state, event);
  }
}

const go = (state: RefreshState, phase: RefreshState['phase'], effect: Effect): Step => ({
  state: { ...state, phase },
  effect,
});
const look = (state: RefreshState): Step => go(state, 'look', { do: 'read' });
const done = (state: RefreshState, outcome: RefreshOutcome): Step =>
  go(state, 'done', { do: 'done', outcome });

function decide(state: RefreshState, row: GrantView | null): Step {
  if (row === null) return done(state, { is: 'gone' });
  if (row.state === 'reauth_required') return done(state, { is: 'reauth-required' });
  const lives = usableUntil(row) > row.now;
  const usable = lives && (row.version > state.wanting || !state.refused);
  if (usable && row.version > state.wanting) return done(state, { is: 'usable', version: row.version });

  /** For when nothing better can be had: what is there, while it lives. */
  const makeDo = (until: number | null): Step =>
    done(state, usable ? { is: 'usable', version: row.version } : { is: 'unavailable', until });

  if (!row.hasRefreshToken) {
    return lives ? makeDo(null) : done(state, { is: 'reauth-required' });
  }
  if (row.state === 'idle') return row.retryAt > row.now ? makeDo(row.retryAt) : claim(state, row, makeDo);
  // Somebody is at it. Who has a token that will do does not wait for them.
  if (usable) return makeDo(null);
  if (row.attemptDeadline! > row.now) return go(state, 'wait', { do: 'wait' });
  // They let their deadline pass, and may have redeemed the token and died: to send it again is a risk, taken only when there is nothing to lose.
  return lives ? makeDo(usableUntil(row)) : claim(state, row, makeDo);
}

function claim(state: RefreshState, row: GrantView, makeDo: (until: number | null) => Step): Step {
  if (state.claims === MAX_CLAIMS) return makeDo(null);
  const over = row.state === 'idle' ? null : row.attempt;
  return go({ ...state, claimed: row.version }, 'claim', { do: 'claim', version: row.version, over });
}

function afterSwap(state: RefreshState, won: boolean): Step {
  if (state.phase === 'claim' && won)
    return go({ ...state, claims: state.claims + 1 }, 'send', { do: 'send' });
  if (state.phase === 'mark' && won) return done(state, { is: 'reauth-required' });
  // A commit that was lost has lost to another successor of the same version; a release, to a takeover: the row says what holds now.
  return look(state);
}

function afterAnswer(state: RefreshState, answer: Extract<RefreshEvent, { type: 'answer' }>): Step {
  switch (answer.kind) {
    case 'tokens':
      return go(state, 'commit', { do: 'commit', version: state.claimed });
    case 'invalid_grant':
      return go(state, 'look-again', { do: 'read' });
    case 'transient':
      // Down, slow, misconfigured: it says nothing about the grant.
      return go(state, 'release', { do: 'release', failed: true, underway: answer.underway });
  }
}

/**
 * The provider refused the refresh token (RFC 6749 section 5.2). Where somebody has stored its successor, all is well; where somebody took the
 * claim over, theirs is the word; else the grant is over: revoked, or its last answer was lost on the way.
 */
function afterRefusal(state: RefreshState, row: GrantView | null): Step {
  if (row !== null && row.version === state.claimed && row.attempt === state.attempt)
    return go(state, 'mark', { do: 'mark-reauth', version: state.claimed });
  return decide(state, row);
}
