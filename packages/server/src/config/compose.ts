import type { Provider } from '../terms/provider.ts';
import {
  type CredentialRule,
  type StaticKey,
  TERMINAL_RULES,
  type TerminalRules,
  type ToolRules,
  type Upstream,
} from '../terms/upstream.ts';
import type { Values } from './options.ts';
import { PRESETS, presetOf } from './presets.ts';
import type { JwtIssuerValues, ProviderValues, RateLimitValues, UpstreamValues } from './schema.ts';
import { composeShells, urlOfShells } from './shells.ts';
import type { Config, JwtIssuer } from './types.ts';

/** Five minutes: a model may think for long before its first byte. */
const HEADERS_TIMEOUT = 300_000;

/** A gibibyte: files are uploaded, whole disks are not. */
const MAX_BODY = 2 ** 30;

/** The configuration as the rooms read it, from values that passed every check. */
export function compose(values: Values): Config {
  const { listen } = values;
  return {
    listen,
    publicUrl: values.publicUrl ?? new URL(`http://localhost:${listen.port}`),
    allowedHosts: values.allowedHosts,
    store: values.store,
    storeWait: values.storeWait,
    dataDir: values.dataDir,
    encryptionKeys: values.encryptionKey,
    logLevel: values.logLevel,
    insecureHttp: values.insecureHttp,
    privateAddresses: values.privateAddresses,
    drain: values.drainTimeout,
    socketsPerAddress: values.socketsPerAddress,
    localAccounts: values.localAccounts ?? values.providers.length === 0,
    tunnelsPerUser: values.tunnelsPerUser,
    tunnelQueryToken: values.tunnelQueryToken,
    session: { idle: values.sessionIdle, absolute: values.sessionAbsolute },
    metricsTokens: values.metricsToken,
    otlp: values.otlpEndpoint === undefined ? null : composeOtlp(values, values.otlpEndpoint),
    auditRetention: values.auditRetention,
    auth: {
      required: values.authRequired,
      anonymousConfirmed: values.confirmAnonymous,
      clientCredentials: values.mcpClientAuthEnabled,
      proxyHeader: values.trustProxyAuth
        ? { name: values.proxyUserHeader.toLowerCase(), from: values.trustedProxies }
        : null,
      forward: { secrets: values.forwardAuthSecret, from: values.trustedProxies },
      jwt: [...values.jwtSecret.map(secret => jwtIssuer({ secret })), ...values.jwt.map(jwtIssuer)],
    },
    trustedProxies: values.trustedProxies,
    rates: composeRates(values.rateLimits, values.tunnelsPerUser),
    forwarding: { enabled: values.oauthTokenForwarding, services: values.oauthTokenForwardingServices },
    providers: values.providers.map(provider => composeProvider(provider, values.responseMode)),
    upstreams: values.upstreams.map(composeUpstream),
  };
}

/** OTLP over HTTP, section "OTLP/HTTP Request": the signal's path comes behind that of the base URL. */
function composeOtlp(values: Values, endpoint: URL): Config['otlp'] {
  const url = new URL(endpoint);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/v1/traces`;
  return {
    url,
    headers: values.otlpHeaders ?? null,
    serviceName: values.otlpServiceName,
    sampler: values.otlpSampler,
    ratio: values.otlpSamplerArg,
  };
}

/** What a person or a program of theirs needs in a minute, many times over; an address may be a whole office's. */
const RATES: Omit<Config['rates'], 'tunnel'> = {
  signIn: { address: { burst: 120, per: 60_000 }, principal: null },
  token: { address: { burst: 600, per: 60_000 }, principal: { burst: 60, per: 60_000 } },
  key: { address: { burst: 120, per: 60_000 }, principal: { burst: 30, per: 60_000 } },
  password: { address: { burst: 60, per: 60_000 }, account: { burst: 10, per: 600_000 } },
  proof: { address: { burst: 100, per: 60_000 } },
};

/** All agents of one user come again at once when their gateway does, and some of them more than once. */
const tunnelRate = (perUser: number): Config['rates']['tunnel'] => ({
  principal: { burst: Math.max(60, 4 * perUser), per: 60_000 },
});

const composeRates = (values: RateLimitValues, tunnelsPerUser: number): Config['rates'] => ({
  signIn: overlaid(RATES.signIn, values.signIn),
  token: overlaid(RATES.token, values.token),
  key: overlaid(RATES.key, values.key),
  password: overlaid(RATES.password, values.password),
  proof: overlaid(RATES.proof, values.proof),
  tunnel: overlaid(tunnelRate(tunnelsPerUser), values.tunnel),
});

/** Undefined is what was not said; null is none. */
function overlaid<T extends object>(
  defaults: T,
  values: { [K in keyof T]?: T[K] | undefined } | undefined,
): T {
  const said = Object.entries(values ?? {}).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(said) };
}

/** Who holds a shared secret is this gateway's operator, so its tokens may name people by address; another issuer's may when told. */
const jwtIssuer = (values: JwtIssuerValues): JwtIssuer => ({
  issuer: values.issuer ?? null,
  audience: values.audience ?? null,
  jwksUrl: values.jwksUrl ?? null,
  secret: values.secret ?? null,
  matchEmail: values.matchEmail ?? values.secret !== undefined,
});

export function composeProvider(values: ProviderValues, responseMode: Provider['responseMode']): Provider {
  const shorthand = PRESETS.find(preset => preset === values.issuer);
  const known = presetOf(values.preset ?? shorthand, values.tenant);
  const endpoints = known.endpoints || values.endpoints ? { ...known.endpoints, ...values.endpoints } : null;
  const groupsClaim = values.groupsClaim ?? 'groups';
  const rule = (claims: ProviderValues['admins']) =>
    claims ? { claim: claims.claim ?? groupsClaim, has: claims.has } : null;
  return {
    id: values.id,
    name: values.name ?? known.name ?? values.id,
    protocol: values.protocol ?? known.protocol ?? 'oidc',
    issuer:
      (shorthand ? undefined : values.issuer) ?? known.issuer ?? new URL(endpoints!.authorization!).origin,
    clientId: values.clientId,
    clientSecret: values.clientSecret ?? null,
    scope: values.scope ?? known.scope ?? 'openid profile email offline_access',
    responseMode: values.responseMode ?? responseMode,
    authorizationParams: { ...known.authorizationParams, ...values.authorizationParams },
    endpoints: endpoints as Provider['endpoints'],
    groupsClaim,
    admins: rule(values.admins),
    allow: rule(values.allow),
  };
}

export function composeUpstream(values: UpstreamValues): Upstream {
  const url = values.url === undefined ? urlOfShells(values) : new URL(values.url);
  url.pathname = url.pathname.replace(/\/+$/, '');
  return {
    id: values.id,
    name: values.name ?? values.id,
    kind: values.kind,
    url,
    models: values.models ?? (values.kind === 'openai' ? ['*'] : []),
    credential: composeCredential(values),
    access: {
      everyone: values.access?.everyone ?? false,
      // An address is compared without regard to case; an id of ours is not.
      users: (values.access?.users ?? []).map(user => (user.includes('@') ? user.toLowerCase() : user)),
      groups: values.access?.groups ?? [],
    },
    headersTimeout: values.headersTimeout ?? HEADERS_TIMEOUT,
    maxBody: values.maxBody ?? MAX_BODY,
    ...(values.kind === 'mcp' && {
      mcp: { tools: composeTools(values.tools ?? {}), recordArguments: values.recordArguments ?? false },
    }),
    ...(values.kind === 'terminal' && { terminal: composeTerminal(values) }),
  };
}

const composeTerminal = (values: UpstreamValues): TerminalRules => ({
  attach: values.attach ?? TERMINAL_RULES.attach,
  policy: values.policy ?? TERMINAL_RULES.policy,
  reattach: values.reattach ?? TERMINAL_RULES.reattach,
  orphanAfter: values.orphanAfter ?? TERMINAL_RULES.orphanAfter,
  idle: values.idle ?? TERMINAL_RULES.idle,
  lifetime: values.lifetime ?? TERMINAL_RULES.lifetime,
  record: values.record ?? TERMINAL_RULES.record,
  embedded: values.embedded ?? TERMINAL_RULES.embedded,
  ...(values.embedded === true && { shells: composeShells(values) }),
});

function composeTools({ groups, ...own }: NonNullable<UpstreamValues['tools']>): ToolRules {
  const rule = ({ allow, deny }: { allow?: string[] | undefined; deny?: string[] | undefined }) => ({
    allow: allow ?? null,
    deny: deny ?? [],
  });
  const ofGroups = Object.entries(groups ?? {}).map(([group, values]) => ({ group, ...rule(values) }));
  return { ...rule(own), groups: ofGroups };
}

function composeCredential({ credential, kind }: UpstreamValues): CredentialRule {
  switch (credential?.use) {
    case undefined:
    case 'none':
      return { use: 'none' };
    case 'key':
      return { use: 'key', ...staticKey(credential) };
    case 'sign-in':
      return {
        use: 'sign-in',
        token: credential.token ?? (kind === 'openapi' ? 'id_token' : 'access_token'),
        strict: credential.strict ?? false,
        provider: credential.provider ?? null,
        fallback: credential.fallback ? staticKey(credential.fallback) : null,
        release: credential.release ?? false,
      };
  }
}

/** `Bearer` belongs to Authorization; another header (`x-api-key`) takes the bare key. */
function staticKey(values: {
  key: StaticKey['key'];
  header?: string | undefined;
  scheme?: string | undefined;
}): StaticKey {
  const header = values.header ?? 'authorization';
  return { key: values.key, header, scheme: values.scheme ?? (header === 'authorization' ? 'Bearer' : '') };
}
