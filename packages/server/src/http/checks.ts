import type { Config } from '../config/types.ts';
import { isLoopbackHost } from '../platform/net.ts';
import { reasonOf } from '../platform/net-failure.ts';
import { createGuardedFetch, createGuardedLookup } from '../platform/net-fetch.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Provider } from '../terms/provider.ts';
import type { Upstream } from '../terms/upstream.ts';

/** One thing that was looked at. `advice` is there when it is not well: what to do. */
export interface Finding {
  readonly what: string;
  readonly found: string;
  readonly advice?: string;
}

const TIMEOUT = 5_000;
/** How far a provider's clock may be from ours before its tokens look expired or not yet valid. */
const MAX_SKEW = 30_000;

export function checkPublicUrl({ listen, publicUrl }: Config): Finding {
  const what = 'publicUrl';
  const found = `${publicUrl.origin}, listening on ${listen.host}:${listen.port}`;
  const [localListener, localUrl] = [isLoopbackHost(listen.host), isLoopbackHost(publicUrl.hostname)];
  const port = Number(publicUrl.port) || (publicUrl.protocol === 'https:' ? 443 : 80);
  if (!localListener && localUrl) {
    return {
      what,
      found,
      advice:
        'Others reach the listener, but are sent to their own machine: set publicUrl to the name they use.',
    };
  }
  if (localListener && localUrl && port !== listen.port) {
    return {
      what,
      found,
      advice: `Nobody may be listening on port ${port}: set publicUrl to the port of listen, or of the proxy before it.`,
    };
  }
  if (!localUrl && publicUrl.protocol === 'http:') {
    return {
      what,
      found,
      advice: 'Cookies and tokens cross the network readable by anyone: put TLS in front and use https:.',
    };
  }
  return { what, found };
}

/** The database of a gateway that runs, and whether what it holds can be opened. */
export async function checkStored(deps: {
  store: Config['store'];
  checkDatabase(): Promise<void>;
  unreadable(): Promise<number>;
}): Promise<Finding[]> {
  const name = deps.store.dialect === 'sqlite' ? 'SQLite' : 'PostgreSQL';
  try {
    await deps.checkDatabase();
    return [{ what: 'database', found: `${name}, answers` }, sealFinding(await deps.unreadable())];
  } catch {
    return [
      {
        what: 'database',
        found: `${name} does not answer`,
        advice: 'See that it runs, and that store names the right place, user and password.',
      },
    ];
  }
}

/** @param unreadable how many records are sealed under a key that is not there */
export function sealFinding(unreadable: number): Finding {
  const what = 'encryption key';
  if (unreadable === 0) return { what, found: 'opens everything stored' };
  return {
    what,
    found: `${unreadable} records are sealed under another`,
    advice: 'Put the former key back, after the new one in encryptionKey, and run: sallyport secrets rotate',
  };
}

export async function checkProvider(
  provider: Provider,
  config: Config,
  runtime: Pick<Runtime, 'now'>,
): Promise<Finding[]> {
  const what = `provider ${provider.id}`;
  await using fetch = createGuardedFetch({
    insecureHttp: config.insecureHttp,
    privateAddresses: true,
    timeout: TIMEOUT,
  });
  const url =
    provider.endpoints?.authorization ??
    `${provider.issuer.replace(/\/$/, '')}/.well-known/openid-configuration`;
  let response: Response;
  try {
    response = await fetch(url, { redirect: 'manual' });
  } catch (error) {
    return [
      {
        what,
        found: `${new URL(url).host} ${reasonOf(error)}`,
        advice:
          'Check the issuer, DNS, the firewall and the certificate (NODE_EXTRA_CA_CERTS for one of your own).',
      },
    ];
  }
  const skew = checkSkew(what, response, runtime.now());
  if (provider.protocol === 'oauth2') return [{ what, found: `${new URL(url).host} answers` }, ...skew];
  const issuer = response.status === 200 ? await issuerIn(response) : null;
  if (issuer === null) {
    return [
      {
        what,
        found: `${url} answers ${response.status}, no discovery document`,
        advice: 'Check the issuer: it is the URL before /.well-known/openid-configuration.',
      },
    ];
  }
  // OpenID Connect Discovery §4.3: the two must be the same, character by character.
  if (issuer !== provider.issuer) {
    return [
      {
        what,
        found: `calls itself ${issuer}, and is configured as ${provider.issuer}`,
        advice: `Set its issuer to ${issuer}`,
      },
      ...skew,
    ];
  }
  return [{ what, found: `${provider.issuer}, discovered` }, ...skew];
}

async function issuerIn(response: Response): Promise<string | null> {
  const document: unknown = await response.json().catch(() => null);
  const issuer = (document as { issuer?: unknown } | null)?.issuer;
  return typeof issuer === 'string' ? issuer : null;
}

/** The `Date` header has whole seconds; that is exact enough. */
function checkSkew(provider: string, response: Response, now: number): Finding[] {
  const theirs = Date.parse(response.headers.get('date') ?? '');
  if (Number.isNaN(theirs)) return [];
  const what = `clock beside ${provider}`;
  const seconds = Math.round((now - theirs) / 1000);
  const found =
    Math.abs(seconds) < 2 ? 'the same' : `${Math.abs(seconds)} s ${seconds > 0 ? 'ahead' : 'behind'}`;
  return Math.abs(now - theirs) <= MAX_SKEW
    ? [{ what, found }]
    : [{ what, found, advice: "Set this machine's clock (NTP): tokens look expired, or not yet valid." }];
}

/** Any answer will do: an upstream may well refuse who shows no credential. */
export async function checkUpstream(
  { id, url, terminal }: Upstream,
  config: Pick<Config, 'upstreams'>,
): Promise<Finding> {
  const what = `upstream ${id}`;
  if (terminal?.embedded === true) return { what, found: 'runs shells on this machine' };
  // Where an admin's word leads is held to more than what the operator wrote.
  const ofFile = config.upstreams.some(one => one.id === id);
  const lookup = ofFile ? {} : { lookup: createGuardedLookup({ privateAddresses: true }) };
  const { Agent, request } = await import('undici');
  const agent = new Agent({ connect: { timeout: TIMEOUT, ...lookup } });
  try {
    const signal = AbortSignal.timeout(TIMEOUT);
    const { statusCode, body } = await request(url, { dispatcher: agent, signal });
    body.on('error', () => {}).destroy();
    return { what, found: `${url.host} answers (${statusCode})` };
  } catch (error) {
    return {
      what,
      found: `${url.host} ${reasonOf(error)}`,
      advice:
        'Check its url, that it runs, DNS, the firewall and the certificate (NODE_EXTRA_CA_CERTS for one of your own).',
    };
  } finally {
    await agent.destroy();
  }
}
