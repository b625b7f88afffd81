import { z } from 'zod';
import type { StoreUrl } from '../platform/db/db.ts';
import { isLoopbackHost } from '../platform/net.ts';
import { readHeaderList } from '../platform/trace/header-list.ts';
import { PRESETS } from './presets.ts';
import { Refusal } from './problems.ts';
import type { Purpose, SecretReader } from './secrets.ts';
import { shellFields } from './shells.ts';
import {
  boolean,
  count,
  duration,
  expecting,
  header,
  id,
  leaf,
  list,
  listenAddress,
  matching,
  name,
  object,
  oneOf,
  range,
  rate,
  ratio,
  retention,
  size,
  strings,
} from './values.ts';

const COLLECTOR = 'a base URL such as http://localhost:4318';
export const UPSTREAM_URL = 'an http: or https: URL, without query or fragment';
const HEADER_LIST = 'headers as name=value,name=value, values percent-encoded';

/** What the checks of single values need to know of the whole. */
export interface SchemaContext {
  readonly secrets: Pick<SecretReader, 'read' | 'readSeveral' | 'text'>;
  /** `insecureHttp`: http: is accepted beyond loopback. */
  readonly insecureHttp: boolean;
}

/** Every schema that reads the configuration, for one reading of it. */
export function createSchemas(context: SchemaContext) {
  /** @throws Refusal for anything but a plain http(s) URL */
  function plainUrl(text: string, expected: string): URL {
    const url = URL.parse(text);
    if (url === null || !['http:', 'https:'].includes(url.protocol) || url.hash !== '' || url.search !== '')
      throw new Refusal(`expected ${expected}`);
    // RFC 9110 §4.2.4: user information in an http URL is deprecated, and it would reach logs.
    if (url.username !== '' || url.password !== '')
      throw new Refusal(`expected ${expected}, without user name or password`);
    return url;
  }

  /** @throws Refusal for anything but a plain http(s) URL; http: only on loopback, or where the operator said so. */
  function httpUrl(text: string, expected: string): URL {
    const url = plainUrl(text, expected);
    if (url.protocol === 'http:' && !isLoopbackHost(url.hostname) && !context.insecureHttp) {
      throw new Refusal(
        'expected https:, since http: is accepted on loopback only (insecureHttp: true accepts it everywhere)',
      );
    }
    return url;
  }
  const url = (expected: string) => leaf(expected, text => httpUrl(text, expected));
  /** As it was written: issuers are compared character by character (OpenID Connect Core §3.1.3.7). */
  const urlText = (expected: string) =>
    leaf(expected, text => {
      httpUrl(text, expected);
      return text;
    });

  const ORIGIN = 'an origin such as https://gateway.example, without a path';
  const origin = leaf(ORIGIN, text => {
    const parsed = httpUrl(text, ORIGIN);
    if (parsed.pathname !== '/') throw new Refusal();
    return parsed;
  });

  const secret = (purpose: Purpose) =>
    leaf('a secret, env:NAME or file:PATH', text => context.secrets.read(text, purpose));

  const STORE = 'sqlite:PATH or postgres://USER@HOST/DATABASE';
  const storeUrl = leaf(STORE, (reference): StoreUrl => {
    const { text } = context.secrets.text(reference);
    const path = /^sqlite:(.+)$/.exec(text)?.[1];
    if (path !== undefined) return { dialect: 'sqlite', path };
    if (!/^postgres(ql)?:\/\//.test(text) || !URL.canParse(text)) throw new Refusal();
    return { dialect: 'postgres', url: text };
  });

  const staticKey = {
    key: secret('header'),
    header: header.optional(),
    scheme: matching(/^[A-Za-z0-9-]*$/, 'a word such as Bearer, or nothing').optional(),
  };

  const credential = z.discriminatedUnion(
    'use',
    [
      object({ use: z.literal('none') }, 'a credential rule'),
      object({ use: z.literal('key'), ...staticKey }, 'a credential rule'),
      object(
        {
          use: z.literal('sign-in'),
          token: oneOf('access_token', 'id_token').optional(),
          strict: boolean.optional(),
          provider: id.optional(),
          fallback: z
            .preprocess(
              value => (value === 'deny' ? null : value),
              object(staticKey, 'deny, or a static key').nullable(),
            )
            .optional(),
          release: boolean.optional(),
        },
        'a credential rule',
      ),
    ],
    {
      error: issue =>
        typeof issue.input === 'object'
          ? 'expected one of none, key, sign-in'
          : expecting('a credential rule such as { use: sign-in }')(issue),
    },
  );

  const claimRule = object(
    { claim: matching(/\S/, "a claim's name").optional(), has: strings("the claim's values") },
    'a rule such as { claim: groups, has: ai-admins }',
  );

  const provider = object(
    {
      id,
      name: name.optional(),
      preset: oneOf(...PRESETS).optional(),
      tenant: matching(
        /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i,
        'the directory (tenant) id, a UUID',
      ).optional(),
      protocol: oneOf('oidc', 'oauth2').optional(),
      issuer: leaf(`an issuer's URL, or one of ${PRESETS.join(', ')}`, text => {
        if (!(PRESETS as readonly string[]).includes(text))
          httpUrl(text, `an issuer's URL, or one of ${PRESETS.join(', ')}`);
        return text;
      }).optional(),
      clientId: matching(/\S/, 'the client id that the provider gave'),
      clientSecret: secret('client').optional(),
      scope: matching(/\S/, 'scopes separated by spaces').optional(),
      responseMode: oneOf('query', 'form_post').optional(),
      authorizationParams: z
        .record(z.string(), z.string({ error: expecting('a text') }), {
          error: expecting('a mapping of parameters'),
        })
        .optional(),
      endpoints: object(
        {
          authorization: urlText('a URL').optional(),
          token: urlText('a URL').optional(),
          userinfo: urlText('a URL').optional(),
        },
        'authorization, token and userinfo',
      ).optional(),
      groupsClaim: matching(/\S/, "a claim's name").optional(),
      admins: claimRule.optional(),
      allow: claimRule.optional(),
    },
    'a provider',
  );

  const toolRule = {
    allow: strings("tools' names, where * stands for any characters").optional(),
    deny: strings("tools' names, where * stands for any characters").optional(),
  };
  const toolGroups = z
    .record(z.string(), object(toolRule, 'a rule such as { allow: [search] }'), {
      error: expecting("rules by groups' names"),
    })
    .optional();

  const upstream = object(
    {
      id,
      name: name.optional(),
      kind: oneOf('openai', 'mcp', 'openapi', 'terminal', 'http'),
      /** `checkUpstream` says where it is missing. */
      url: url(UPSTREAM_URL).optional(),
      models: strings("models' names, where * stands for any characters").optional(),
      credential: credential.optional(),
      access: object(
        {
          everyone: boolean.optional(),
          users: strings('user ids or email addresses').optional(),
          groups: strings("groups' names").optional(),
        },
        'who may use it',
      ).optional(),
      tools: object({ ...toolRule, groups: toolGroups }, 'rules such as { deny: [delete_*] }').optional(),
      recordArguments: boolean.optional(),
      attach: oneOf('auto', 'message', 'query').optional(),
      policy: matching(/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/, "a policy's name").optional(),
      reattach: duration.optional(),
      orphanAfter: duration.optional(),
      idle: duration.optional(),
      lifetime: duration.optional(),
      record: boolean.optional(),
      embedded: boolean.optional(),
      ...shellFields,
      headersTimeout: duration.optional(),
      maxBody: size.optional(),
    },
    'an upstream',
  );

  const jwtIssuer = object(
    {
      issuer: urlText("the issuer's URL, as its tokens' iss has it").optional(),
      audience: matching(/\S/, "what the tokens' aud has to hold").optional(),
      jwksUrl: urlText("the URL of the issuer's keys").optional(),
      secret: secret('hmac').optional(),
      matchEmail: boolean.optional(),
    },
    'an issuer of JWTs',
  );

  const byBoth = object(
    { address: rate.optional(), principal: rate.optional() },
    'rates by address and principal',
  ).optional();
  const rateLimits = object(
    {
      signIn: object({ address: rate.optional() }, 'a rate by address').optional(),
      token: byBoth,
      key: byBoth,
      password: object(
        { address: rate.optional(), account: rate.optional() },
        'rates by address and account',
      ).optional(),
      proof: object({ address: rate.optional() }, 'a rate by address').optional(),
      tunnel: object({ principal: rate.optional() }, 'a rate by principal').optional(),
    },
    'rates',
  );

  return {
    boolean,
    count,
    duration,
    retention,
    ratio,
    /** Without secrets, plain http: is what collectors in the same network speak. */
    collector: leaf(COLLECTOR, text => plainUrl(text, COLLECTOR)),
    headerList: leaf(HEADER_LIST, text => {
      const list = context.secrets.read(text, 'header');
      if (readHeaderList(list.reveal()) === null) throw new Refusal();
      return list;
    }),
    listenAddress,
    origin,
    storeUrl,
    text: matching(/\S/, 'a text'),
    headerName: matching(/^[A-Za-z0-9-]+$/, "a header's name"),
    oneOf,
    strings: strings('texts'),
    hosts: strings('Host header values'),
    ranges: z.preprocess(
      value => (typeof value === 'string' ? [value] : value),
      list(range, 'a list of IP addresses or CIDR ranges'),
    ),
    services: z.preprocess(
      value => (typeof value === 'string' ? [value] : value),
      list(oneOf('openai', 'tools', 'mcp', 'terminals'), 'a list of openai, tools, mcp, terminals'),
    ),
    sealKeys: z
      .preprocess(
        value => (typeof value === 'string' ? [value] : value),
        list(
          leaf('a key, env:NAME or file:PATH', text => context.secrets.readSeveral(text, 'seal')),
          'a key or a list of keys',
        ),
      )
      .transform(keys => keys.flat()),
    hmacKeys: z.preprocess(
      value => (typeof value === 'string' ? [value] : value),
      list(secret('hmac'), 'a secret or a list of secrets'),
    ),
    rateLimits,
    shownSecrets: z.preprocess(
      value => (typeof value === 'string' ? [value] : value),
      list(secret('proxy'), 'a secret or a list of secrets'),
    ),
    provider,
    upstream,
    providers: list(provider, 'a list of providers'),
    upstreams: list(upstream, 'a list of upstreams'),
    jwtIssuers: list(jwtIssuer, 'a list of issuers of JWTs'),
  };
}

export type Schemas = ReturnType<typeof createSchemas>;
export type ProviderValues = z.output<Schemas['provider']>;
export type UpstreamValues = z.output<Schemas['upstream']>;
export type RateLimitValues = z.output<Schemas['rateLimits']>;
export type JwtIssuerValues = z.output<Schemas['jwtIssuers']>[number];
