import { AppError } from '../../platform/errors.ts';
import type { Principal } from '../../terms/principal.ts';
import type { Upstream } from '../../terms/upstream.ts';
import type { BackHttp } from '../back-http.ts';
import { legacyCapabilities, modernServerCapabilities } from '../capabilities.ts';
import { type Eras, modernHeaders } from '../eras.ts';
import { asLegacy } from '../held-on-modern.ts';
import { isObject, isResponse, type Params, type Response, request } from '../json-rpc.ts';
import type { LegacyPool } from '../legacy-pool.ts';
import { META, MODERN } from '../protocol.ts';

export type Answered = Pick<Response, 'result' | 'error'>;

/** Who asks, and what their client can do: as a modern request says it. */
export interface Asker {
  readonly principal: Principal;
  readonly capabilities: Params;
  readonly clientInfo: unknown;
}

/** What a server says of itself. */
export interface Introduced {
  readonly capabilities: Params;
  readonly instructions: unknown;
}

/** Asks a server of either era something that needs no more than its answer. Answers are without what only the modern era says. */
export interface Ask {
  /** @throws what kept the answer from coming */
  one(asker: Asker, to: Upstream, method: string, params: Params, signal: AbortSignal): Promise<Answered>;
  introduction(asker: Asker, to: Upstream, signal: AbortSignal): Promise<Introduced>;
}

export function createAsk(deps: { eras: Eras; back: Pick<BackHttp, 'ask'>; pool: LegacyPool }): Ask {
  const { eras, back, pool } = deps;

  async function modern(asker: Asker, to: Upstream, method: string, params: Params, signal: AbortSignal) {
    const meta = {
      [META.version]: MODERN,
      [META.capabilities]: asker.capabilities,
      ...(isObject(asker.clientInfo) && { [META.client]: asker.clientInfo }),
    };
    const { status, messages } = await back.ask(
      asker.principal,
      to,
      {
        method: 'POST',
        headers: modernHeaders(method),
        body: request(1, method, { ...params, _meta: meta }),
      },
      signal,
    );
    const answer = messages.findLast(isResponse);
    if (answer === undefined)
      throw new AppError(
        'upstream_failed',
        `The upstream ${to.id} answered ${status}, and not to the request.`,
      );
    return answer;
  }

  const session = ({ principal, capabilities }: Asker, to: Upstream) =>
    pool.session(principal, to, legacyCapabilities(capabilities));

  return {
    async one(asker, to, method, params, signal) {
      if (!(await eras.of(asker.principal, to)).modern)
        return (await session(asker, to)).ask(method, params, signal);
      const { result, error } = await modern(asker, to, method, params, signal);
      return result === undefined ? { error: error! } : { result: asLegacy(result) };
    },
    async introduction(asker, to, signal) {
      if ((await eras.of(asker.principal, to)).modern) {
        const { result, error } = await modern(asker, to, 'server/discover', {}, signal);
        if (result === undefined)
          throw new AppError(
            'upstream_failed',
            `The upstream ${to.id} does not introduce itself (${error!.code}).`,
          );
        const { capabilities, instructions } = result;
        return { capabilities: isObject(capabilities) ? capabilities : {}, instructions };
      }
      const { capabilities, instructions } = (await session(asker, to)).introduction;
      return { capabilities: modernServerCapabilities(capabilities), instructions };
    },
  };
}
