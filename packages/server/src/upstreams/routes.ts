import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { asAppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';

/** A page does not wait longer for a provider, milliseconds: an upstream that will be ready in a moment counts as ready. */
const PATIENCE = 2_000;

const kind = z.enum(['openai', 'mcp', 'openapi', 'terminal', 'http']);
const homeBody = z.object({
  id: z.string(),
  name: z.string(),
  kind,
  state: z.enum(['ready', 'connect', 'failing', 'denied']),
  failing_since: z.iso.datetime().nullable(),
  detail: z.string().nullable().describe('What is the matter, for people'),
  connect_url: z.string().nullable().describe('Where the person connects their account'),
  base_url: z.string().describe('What a client of this kind is pointed at'),
  models: z.array(z.string()),
});
type State = Pick<z.infer<typeof homeBody>, 'state' | 'failing_since' | 'detail' | 'connect_url'>;
const READY: State = { state: 'ready', failing_since: null, detail: null, connect_url: null };

/** `/api/v1/home`: what the caller may use, and whether it is ready for them. */
export function upstreamRoutes(deps: {
  upstreams: { list(): readonly Upstream[] };
  may(principal: Principal, upstream: Upstream): boolean;
  vault: {
    credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
  };
  failing: { of(upstreamId: string): { readonly since: number; readonly said: string } | null };
  publicUrl: URL;
  runtime: Pick<Runtime, 'sleep'>;
}): FastifyPluginAsyncZod {
  const { upstreams, may, vault, failing, publicUrl, runtime } = deps;

  async function stateOf(principal: Principal, upstream: Upstream): Promise<State> {
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
  }

  return async app => {
    app.get(
      '/api/v1/home',
      {
        config: { policy: 'signed-in' },
        schema: { response: { 200: z.object({ items: z.array(homeBody) }) } },
      },
      async ({ principal }) => {
        const usable = upstreams.list().filter(upstream => may(principal, upstream));
        return {
          items: await Promise.all(
            usable.map(async upstream => ({
              id: upstream.id,
              name: upstream.name,
              kind: upstream.kind,
              base_url: baseUrl(upstream, publicUrl),
              models: [...upstream.models],
              ...(await stateOf(principal, upstream)),
            })),
          ),
        };
      },
    );
  };
}

/** The vault's refusals say what to do; where they name no place, nothing the person could do would help. */
function stateOfRefusal(thrown: unknown): State {
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

const baseUrl = ({ id, kind, models }: Upstream, { origin }: URL): string =>
  kind === 'mcp'
    ? `${origin}/mcp/${id}`
    : kind === 'openai' && models.length > 0
      ? `${origin}/v1`
      : `${origin}/u/${id}`;

const iso = (at: number): string => new Date(at).toISOString();
