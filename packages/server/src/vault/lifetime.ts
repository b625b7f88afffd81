/** All times are milliseconds. */
const HOUR = 3_600_000;
const YEAR = 365 * 24 * HOUR;

/** Assumed where a provider does not say how long a token lives: RFC 6749 section 5.1 only recommends `expires_in`. */
const ASSUMED = HOUR;
/** A token without an end and without a successor (GitHub's classic ones) is used until an upstream refuses it. */
const ENDLESS = 10 * YEAR;

const LATE = 5 * 60_000;
const SHARE = 0.8;
/** Time a token spends on its way to whoever checks it. */
const MARGIN = 10_000;

/** How long an access token lives. @param expiresIn seconds, as the provider says it; nonsense counts as unsaid */
export function lifetimeOf(expiresIn: number | undefined, refreshable: boolean): number {
  if (expiresIn !== undefined && expiresIn > 0) return Math.floor(Math.min(expiresIn * 1_000, ENDLESS));
  return refreshable ? ASSUMED : ENDLESS;
}

/** The life of an access token, by the database's clock. */
interface Life {
  readonly id: string;
  readonly obtainedAt: number;
  readonly expiresAt: number;
}

/** Until when an access token may be sent: ten seconds, or a tenth of its life, before it expires. */
export function usableUntil({ obtainedAt, expiresAt }: Omit<Life, 'id'>): number {
  return expiresAt - Math.min(MARGIN, Math.max(0, expiresAt - obtainedAt) / 10);
}

/**
 * When a grant is refreshed just in time: at 80 % of its access token's life or five minutes before its end, whichever is later; and up to a
 * fifth of the rest later still, by the grant's id, so that grants born together do not come back together.
 */
export function dueAt(life: Life): number {
  const due = Math.max(life.obtainedAt + (life.expiresAt - life.obtainedAt) * SHARE, life.expiresAt - LATE);
  return due + (life.expiresAt - due) * 0.2 * shareOf(life.id);
}

/** A number from 0 up to 1 that an id always gives. */
function shareOf(id: string): number {
  let sum = 0;
  for (let at = 0; at < id.length; at++) sum = (sum * 31 + id.charCodeAt(at)) % 1_009;
  return sum / 1_009;
}
