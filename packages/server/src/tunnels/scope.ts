/** In a key's scope: it may bring any tunnel of its owner, or the one that follows the colon. No upstream's id holds a colon. */
const TUNNEL = 'tunnel:';

/**
 * Whether a credential of this scope may bring a tunnel of this name. One that is limited to upstreams may only use them; one that is limited
 * to tunnels may use none: a key that lies on a laptop for its agent opens nothing else.
 */
export const mayBring = (scope: readonly string[] | null, name: string): boolean =>
  scope === null || scope.includes(`${TUNNEL}*`) || scope.includes(`${TUNNEL}${name}`);

/** Whether it may bring any at all, which is known before the agent says what it serves. */
export const mayBringAny = (scope: readonly string[] | null): boolean =>
  scope === null || scope.some(id => id.startsWith(TUNNEL));
