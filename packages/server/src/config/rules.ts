import { isLoopbackHost } from '../platform/net.ts';
import type { Values } from './options.ts';
import { PRESETS } from './presets.ts';
import type { Report } from './problems.ts';
import { UPSTREAM_URL } from './schema.ts';
import { shellFields } from './shells.ts';

/** Ids that the gateway uses itself. */
const RESERVED_UPSTREAMS = new Set(['whoami']);
/** What is said of upstreams of one kind alone. */
const ONLY_OF = {
  mcp: ['tools', 'recordArguments'],
  terminal: ['attach', 'policy', 'reattach', 'orphanAfter', 'idle', 'lifetime', 'record', 'embedded'],
};
/** `/auth/check/…` is the proxies'. */
const RESERVED_PROVIDERS = new Set(['check']);

/**
 * What no single value can be blamed for. Reads values as they were written, so that one broken value hides no other problem;
 * `checked` has those options that passed their own check.
 */
export function checkTogether(raw: (key: string) => unknown, checked: Partial<Values>, report: Report): void {
  const providers = entries(raw('providers'));
  const upstreams = entries(raw('upstreams'));
  refuseTwice('providers', providers, report);
  refuseTwice('upstreams', upstreams, report);
  providers.forEach((provider, index) => {
    checkProvider(provider, (path, message) => report(['providers', index, ...path], message));
  });
  const ids = providers.map(provider => provider['id']);
  upstreams.forEach((upstream, index) => {
    checkUpstream(upstream, ids, (path, message) => report(['upstreams', index, ...path], message));
  });
  entries(raw('jwt')).forEach((issuer, index) => {
    const count = ['jwksUrl', 'secret'].filter(key => issuer[key] !== undefined).length;
    if (count !== 1) report(['jwt', index], 'expected one of jwksUrl and secret');
    // RFC 8725 §3.8, §3.9: a token that its issuer made for another application is not one for us.
    for (const key of ['issuer', 'audience']) {
      if (issuer['jwksUrl'] !== undefined && issuer[key] === undefined)
        report(['jwt', index, key], 'missing; expected beside jwksUrl');
    }
  });
  checkCallers(checked, report);
  checkCollector(checked, report);
}

function checkCollector(
  { otlpEndpoint: url, otlpHeaders, insecureHttp }: Partial<Values>,
  report: Report,
): void {
  if (url === undefined || otlpHeaders === undefined || insecureHttp === true) return;
  if (url.protocol === 'http:' && !isLoopbackHost(url.hostname))
    report(
      ['otlpEndpoint'],
      'expected https:, since otlpHeaders go there (insecureHttp: true accepts http:)',
    );
}

/** @param providers ids that the upstream's rule may name */
export function checkUpstream(upstream: Entry, providers: readonly unknown[], report: Report): void {
  if (RESERVED_UPSTREAMS.has(String(upstream['id'])))
    report(['id'], `"${upstream['id']}" is the gateway's own; expected another id`);
  if (
    upstream['models'] !== undefined &&
    ['mcp', 'openapi', 'terminal', 'http'].includes(String(upstream['kind']))
  )
    report(['models'], `expected only where kind is openai, and it is ${upstream['kind']}`);
  for (const [kind, keys] of Object.entries(ONLY_OF))
    for (const key of keys)
      if (upstream[key] !== undefined && upstream['kind'] !== kind)
        report([key], `expected only where kind is ${kind}, and it is ${upstream['kind']}`);
  checkShells(upstream, report);
  const named = entry(upstream['credential'])['provider'];
  if (typeof named === 'string' && !providers.includes(named)) {
    report(
      ['credential', 'provider'],
      `expected the id of a provider (${providers.length === 0 ? 'there is none' : providers.join(', ')})`,
    );
  }
}

/** Shells on this machine are reached by nothing but the gateway, and need none of what other servers need. */
function checkShells(upstream: Entry, report: Report): void {
  const embedded = upstream['embedded'] === true;
  if (!embedded && upstream['url'] === undefined) report(['url'], `missing; expected ${UPSTREAM_URL}`);
  if (embedded)
    for (const key of ['url', 'credential', 'attach', 'policy'])
      if (upstream[key] !== undefined) report([key], 'expected only where embedded is not true');
  if (!embedded)
    for (const key of Object.keys(shellFields))
      if (upstream[key] !== undefined) report([key], 'expected only where embedded is true');
  if (upstream['network'] !== undefined && upstream['isolate'] !== 'bubblewrap')
    report(['network'], 'expected only where isolate is bubblewrap');
  if (upstream['account'] !== undefined && upstream['homes'] === undefined)
    report(['homes'], 'missing; expected beside account, which does not reach dataDir');
}

export function checkProvider(provider: Entry, report: Report): void {
  if (RESERVED_PROVIDERS.has(String(provider['id'])))
    report(['id'], `"${provider['id']}" is the gateway's own; expected another id`);
  const issuer = provider['issuer'];
  const shorthand = PRESETS.find(preset => preset === issuer);
  const preset = provider['preset'] ?? shorthand;
  if (provider['preset'] !== undefined && shorthand !== undefined && provider['preset'] !== shorthand) {
    report(['issuer'], `expected the issuer's URL, or no issuer: preset says ${provider['preset']} already`);
  }
  if (preset === 'microsoft' && provider['tenant'] === undefined && (issuer === undefined || shorthand)) {
    report(['tenant'], 'missing; expected the directory (tenant) id, a UUID, for preset microsoft');
  }
  if (preset !== 'microsoft' && provider['tenant'] !== undefined)
    report(['tenant'], 'expected only with preset microsoft');
  const endpoints = entry(provider['endpoints']);
  if (preset === undefined && provider['protocol'] === 'oauth2') {
    for (const key of ['authorization', 'token', 'userinfo']) {
      if (endpoints[key] === undefined)
        report(['endpoints'], `expected ${key}, since protocol oauth2 has no discovery`);
    }
  } else if (preset === undefined && issuer === undefined) {
    report(['issuer'], `missing; expected an issuer's URL, or one of ${PRESETS.join(', ')}`);
  }
  if (provider['endpoints'] !== undefined && provider['protocol'] !== 'oauth2' && preset !== 'github') {
    report(
      ['endpoints'],
      'expected only with protocol oauth2; an issuer of OpenID Connect is asked for its own',
    );
  }
}

function checkCallers(checked: Partial<Values>, report: Report): void {
  const { listen, authRequired, confirmAnonymous, trustProxyAuth, trustedProxies, mcpClientAuthEnabled } =
    checked;
  if (
    authRequired === false &&
    confirmAnonymous !== true &&
    listen !== undefined &&
    !isLoopbackHost(listen.host)
  ) {
    report(
      ['authRequired'],
      'expected true, since others than this machine reach the listener; confirmAnonymous: true confirms that anybody may call',
    );
  }
  if (trustProxyAuth === true && trustedProxies?.length === 0) {
    report(['trustProxyAuth'], 'expected trustedProxies beside it: the addresses whose header is believed');
  }
  if (mcpClientAuthEnabled === false && trustProxyAuth === false) {
    report(
      ['mcpClientAuthEnabled'],
      'expected true, since without trustProxyAuth nothing would say who is calling',
    );
  }
  const { sessionIdle, sessionAbsolute } = checked;
  if (sessionIdle !== undefined && sessionAbsolute !== undefined && sessionIdle > sessionAbsolute) {
    report(['sessionIdle'], 'expected no more than sessionAbsolute');
  }
}

type Entry = Readonly<Record<string, unknown>>;
const entry = (value: unknown): Entry =>
  typeof value === 'object' && value !== null ? (value as Entry) : {};
const entries = (value: unknown): Entry[] => (Array.isArray(value) ? value.map(entry) : []);

function refuseTwice(list: string, all: Entry[], report: Report): void {
  all.forEach(({ id }, index) => {
    const first = all.findIndex(other => other['id'] === id);
    if (typeof id === 'string' && first < index)
      report([list, index, 'id'], `"${id}" is the id of ${list}[${first}] already; expected another`);
  });
}
