import type { Bus } from '../platform/bus.ts';
import { ExpiringCache } from '../platform/cache.ts';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { MessageLine, MessageLineEvents } from '../terms/message-line.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { BackAnswer, BackHttp } from './back-http.ts';
import { asMessage, isObject, isResponse, type Params, parseJson, request } from './json-rpc.ts';
import { CODE, isLegacyVersion, META, MODERN, MODERN_ERRORS } from './protocol.ts';

/** What a server speaks over HTTP. In lines: the modern one, or neither, since what is said there in the legacy one cannot be passed. */
export interface Era {
  readonly modern: boolean;
  readonly legacy: boolean;
}

const LEGACY_LINES: Era = { modern: false, legacy: false };
const MODERN_ONLY: Era = { modern: true, legacy: false };
const LEGACY_ONLY: Era = { modern: false, legacy: true };
/** A verdict's life, milliseconds. */
const KEPT = 24 * 60 * 60_000;
/** A server that does not answer a probe in this time says nothing of its era, milliseconds. */
const PATIENCE = 10_000;
/** A program that says nothing in this time is one that says nothing before `initialize`, milliseconds. */
const PATIENCE_WITH_LINES = 5_000;

/** Who speaks what, found out once by asking and then remembered: of an upstream, and of whom it knows the caller as. */
export interface Eras {
  /** @throws AppError `upstream_…` where the answer says nothing: then nothing is remembered */
  of(principal: Principal, upstream: Upstream): Era | Promise<Era>;
  /** It refused `initialize` in the words of the modern era. */
  modern(principal: Principal, upstream: Upstream): void;
  /** What is remembered turned out wrong: the next call asks again. */
  doubt(principal: Principal, upstream: Upstream): void;
}

export function createEras(deps: {
  back: Pick<BackHttp, 'ask'>;
  /** Whether it speaks in lines, and not over HTTP. */
  inLines(upstream: Upstream): boolean;
  /** A throw-away program; null where none can be had. @throws AppError while there is no agent */
  probeLine(upstream: Upstream, events: MessageLineEvents): MessageLine | null;
  runtime: Pick<Runtime, 'now' | 'sleep'>;
  bus: Pick<Bus, 'subscribe'>;
}): Eras {
  const { back, runtime } = deps;
  const verdicts = new ExpiringCache<Era>({ max: 10_000, now: runtime.now });
  const asking = new Map<string, Promise<Era>>();
  deps.bus.subscribe(notice => {
    if (notice.topic === 'upstream-changed')
      verdicts.deleteWhere((_era, key) => key.startsWith(`${notice.upstreamId}\n`));
  });

  /** With a token of their own, people may meet different servers behind one address; and a tunnel may lead to a program today, to an address tomorrow. */
  const keyOf = ({ userId }: Principal, upstream: Upstream): string =>
    `${upstream.id}\n${upstream.credential.use === 'sign-in' ? userId : ''}\n${deps.inLines(upstream) ? 'lines' : 'http'}`;

  async function probe(principal: Principal, upstream: Upstream): Promise<Era> {
    const key = keyOf(principal, upstream);
    const lines = deps.inLines(upstream);
    const era = lines
      ? await probeLine(upstream)
      : eraOf(await back.ask(principal, upstream, probing()), upstream);
    // Its agent came or went meanwhile: what was asked is not what is there.
    if (deps.inLines(upstream) !== lines) return probe(principal, upstream);
    verdicts.set(key, era, runtime.now() + KEPT);
    return era;
  }

  /** The program that serves never sees the probe: some legacy ones exit on any request before `initialize`, and some never answer. */
  async function probeLine(upstream: Upstream): Promise<Era> {
    const heard = Promise.withResolvers<Era>();
    const line = deps.probeLine(upstream, {
      message(text) {
        const message = asMessage(parseJson(text));
        if (message === null || !isResponse(message)) return;
        const { modern } = eraOf({ status: 200, headers: {}, messages: [message] }, upstream);
        heard.resolve(modern ? MODERN_ONLY : LEGACY_LINES);
      },
      closed: () => heard.resolve(LEGACY_LINES),
    });
    if (line === null) return LEGACY_LINES;
    const over = new AbortController();
    runtime.sleep(PATIENCE_WITH_LINES, over.signal).then(
      () => heard.resolve(LEGACY_LINES),
      () => {},
    );
    line.send(JSON.stringify(probing().body));
    const era = await heard.promise;
    over.abort();
    line.close();
    return era;
  }

  return {
    of(principal, upstream) {
      const key = keyOf(principal, upstream);
      const known = verdicts.get(key);
      if (known !== undefined) return known;
      let asked = asking.get(key);
      if (asked === undefined) {
        asked = probe(principal, upstream).finally(() => asking.delete(key));
        asking.set(key, asked);
      }
      return asked;
    },
    modern(principal, upstream) {
      verdicts.set(keyOf(principal, upstream), MODERN_ONLY, runtime.now() + KEPT);
    },
    doubt: (principal, upstream) => verdicts.delete(keyOf(principal, upstream)),
  };
}

/** What every modern request of ours says of itself. */
export const modernHeaders = (method: string): Record<string, string> => ({
  'content-type': 'application/json',
  accept: 'application/json, text/event-stream',
  'mcp-protocol-version': MODERN,
  'mcp-method': method,
});

export const GATEWAY_INFO = { name: 'sallyport', version: '1' } as const;

const probing = () =>
  ({
    method: 'POST',
    headers: modernHeaders('server/discover'),
    body: request('discover', 'server/discover', {
      _meta: { [META.version]: MODERN, [META.client]: GATEWAY_INFO, [META.capabilities]: {} },
    }),
    timeout: PATIENCE,
  }) as const;

/** Streamable HTTP, "Backward Compatibility": a recognised modern answer, or legacy. */
function eraOf({ status, messages }: BackAnswer, { id }: Upstream): Era {
  if (status === 401 || status === 403)
    throw new AppError('upstream_failed', `The upstream ${id} refuses the credential (${status}).`);
  if (status === 429 || status >= 500)
    throw new AppError('upstream_failed', `The upstream ${id} fails (${status}).`);
  const answer = messages.findLast(isResponse);
  if (answer?.result !== undefined) {
    const versions = answer.result['supportedVersions'];
    return Array.isArray(versions) ? spoken(versions) : LEGACY_ONLY;
  }
  const error = answer?.error;
  if (error === undefined || !MODERN_ERRORS.has(error.code)) return LEGACY_ONLY;
  const data = error.data as Params | undefined;
  const supported = error.code === CODE.unsupportedVersion && isObject(data) ? data['supported'] : null;
  return Array.isArray(supported) ? spoken(supported) : MODERN_ONLY;
}

function spoken(versions: readonly unknown[]): Era {
  const modern = versions.includes(MODERN);
  const legacy = versions.some(isLegacyVersion);
  return modern || legacy ? { modern, legacy } : MODERN_ONLY;
}
