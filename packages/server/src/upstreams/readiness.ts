import { asAppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';

/** A page does not wait longer for a provider, milliseconds: an upstream that will be ready in a moment counts as ready. */
const PATIENCE = 2_000;

/** Whether an upstream works for one person, and what they can do where it does not. */
export interface Readiness {
  readonly state: 'ready' | 'connect' | 'failing' | 'denied';
  readonly failing_since: string | null;
  /** What is the matter, for people. */
  readonly detail: string | null;
  /** Where the person connects their account. */
  readonly connect_url: string | null;
}

const READY: Readiness = { state: 'ready', failing_since: null, detail: null, connect_url: null };

export function createReadiness(deps: {
  vault: {
    credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  };
  failing: { of(upstreamId: string): { readonly since: number; readonly said: string } | null };
  runtime: Pick<Runtime, 'sleep'>;
}): (principal: Principal, upstream: Upstream) => Promise<Readiness> {
  const { vault, failing, runtime } = deps;

  return async (principal, upstream) => {
    const failure = failing.of(upstream.id);
    if (failure !== null)
      return { ...READY, state: 'failing', failing_since: iso(failure.since), detail: failure.said };
    const enough = new AbortController();
    try {
      // Without one the upstream answers nothing to this person, whatever its own state.
      await Promise.race([
        Promise.resolve(vault.credentialFor(principal, upstream)),
        runtime.sleep(PATIENCE, enough.signal),
      ]);
      return READY;
    } catch (thrown) {
      return stateOfRefusal(thrown);
    } finally {
      enough.abort();
    }
  };
}

/** The vault's refusals say what to do; where they name no place, nothing the person could do would help. */
function stateOfRefusal(thrown: unknown): Readiness {
  const { code, message, action } = asAppError(thrown);
  if (code !== 'credential_missing' && code !== 'reauth_required')
    return { ...READY, state: 'failing', detail: message };
  if (action === null) return { ...READY, state: 'denied', detail: message };
  return { ...READY, state: 'connect', connect_url: action, detail: WORDS[code] };
}

const WORDS = {
  credential_missing:
    'It needs a token of your own, and the gateway has none: sign in with its provider once.',
  reauth_required: 'Your provider has ended the sign-in behind it: sign in there again.',
} as const;

const iso = (at: number): string => new Date(at).toISOString();
