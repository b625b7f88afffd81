import type { z } from 'zod';
import { SAMPLERS } from '../platform/trace/sampler.ts';
import { createSchemas, type SchemaContext } from './schema.ts';
import { createSecretReader } from './secrets.ts';

/**
 * One option of the gateway: the file's key, the environment variable `SALLYPORT_…`, the flag `--…`, the help text and the check,
 * all from this table. `docs/configuration.md` is written from it too.
 */
export interface Option {
  /** Key in the file, camelCase; the variable and the flag are made from it. */
  readonly key: string;
  /** Variables of other products that mean the same. */
  readonly aliases?: readonly string[];
  readonly schema: z.ZodType;
  /** As the file would have it. */
  readonly default?: unknown;
  readonly help: string;
  /**
   * `boolean`: its flag needs no value. `list`: variable and flag separate by commas.
   * `structured`: the variable holds YAML or JSON, and there is no flag.
   */
  readonly form?: 'boolean' | 'list' | 'structured';
  /** Masked when printed; has `…_FILE`, and no flag, for other users of the machine see a command's arguments. */
  readonly secret?: true;
}

/** The table. The context is what checks of single values need to know of the whole. */
export function createOptions(context: SchemaContext) {
  const is = createSchemas(context);
  return [
    {
      key: 'listen',
      schema: is.listenAddress,
      default: '127.0.0.1:8080',
      help: 'Address and port to listen on.',
    },
    {
      key: 'publicUrl',
      schema: is.origin.optional(),
      help: 'Origin under which people reach the gateway. Default: `http://localhost:PORT`.',
    },
    {
      key: 'allowedHosts',
      schema: is.hosts,
      default: [],
      form: 'list',
      help: 'Further Host header values to answer to, beside that of publicUrl.',
    },
    {
      key: 'store',
      schema: is.storeUrl,
      default: 'sqlite:./data/sallyport.db',
      secret: true,
      help: '`sqlite:PATH` or `postgres://…`; relative paths start at the working directory.',
    },
    {
      key: 'storeWait',
      schema: is.duration,
      default: '30s',
      help: 'How long `serve` waits at its start for a database that does not answer yet.',
    },
    {
      key: 'dataDir',
      schema: is.text,
      default: './data',
      help: 'Directory for the embedded encryption key, and for the homes of embedded shells.',
    },
    {
      key: 'encryptionKey',
      aliases: ['OAUTH_TOKEN_ENCRYPTION_KEY'],
      schema: is.sealKeys,
      default: [],
      secret: true,
      help: 'One key or several, newest first, each 32 bytes in base64 or hex. Default: one made once in dataDir.',
    },
    {
      key: 'logLevel',
      schema: is.oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
      default: 'info',
      help: 'How much to log: `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`.',
    },
    {
      key: 'metricsToken',
      schema: is.shownSecrets,
      default: [],
      secret: true,
      help: 'What Prometheus shows as its bearer token at `/metrics`, 32 characters or more; or a list of them. Admins may read there in any case.',
    },
    {
      key: 'otlpEndpoint',
      aliases: ['OTEL_EXPORTER_OTLP_ENDPOINT'],
      schema: is.collector.optional(),
      help: 'Base URL of the collector that takes traces by OTLP over HTTP, such as `http://localhost:4318`. Default: none are made.',
    },
    {
      key: 'otlpHeaders',
      aliases: ['OTEL_EXPORTER_OTLP_HEADERS'],
      schema: is.headerList.optional(),
      secret: true,
      help: 'Headers for the collector: `name=value,name=value`, values percent-encoded.',
    },
    {
      key: 'otlpServiceName',
      aliases: ['OTEL_SERVICE_NAME'],
      schema: is.text,
      default: 'sallyport',
      help: 'What the gateway is called in traces.',
    },
    {
      key: 'otlpSampler',
      aliases: ['OTEL_TRACES_SAMPLER'],
      schema: is.oneOf(...SAMPLERS),
      default: 'parentbased_always_on',
      help: `Which calls are traced: ${SAMPLERS.map(name => `\`${name}\``).join(', ')}.`,
    },
    {
      key: 'otlpSamplerArg',
      aliases: ['OTEL_TRACES_SAMPLER_ARG'],
      schema: is.ratio,
      default: '1',
      help: 'The share of calls that `traceidratio` and `parentbased_traceidratio` take, from 0 to 1.',
    },
    {
      key: 'insecureHttp',
      schema: is.boolean,
      default: false,
      form: 'boolean',
      help: 'Accept `http:` issuers, upstreams and publicUrl beyond loopback.',
    },
    {
      key: 'privateAddresses',
      schema: is.boolean,
      default: false,
      form: 'boolean',
      help: 'Let discovery and other URLs that users may set reach private addresses.',
    },
    {
      key: 'drainTimeout',
      schema: is.duration,
      default: '30s',
      help: 'What open requests and streams get to end when the gateway is told to stop.',
    },
    {
      key: 'sessionIdle',
      schema: is.duration,
      default: '12h',
      help: 'A session ends after this long without a request.',
    },
    {
      key: 'sessionAbsolute',
      schema: is.duration,
      default: '7d',
      help: 'A session ends after this long in any case.',
    },
    {
      key: 'auditRetention',
      schema: is.retention,
      default: '180d',
      help: 'How long the audit is kept, or `forever`.',
    },
    {
      key: 'localAccounts',
      schema: is.boolean.optional(),
      form: 'boolean',
      help: 'Let people sign in with a password kept here, by invitation. Default: `true` without `providers`, `false` with them.',
    },
    {
      key: 'authRequired',
      aliases: ['AUTH_REQUIRED'],
      schema: is.boolean,
      default: true,
      form: 'boolean',
      help: 'false lets callers in without a credential, as the anonymous principal.',
    },
    {
      key: 'confirmAnonymous',
      schema: is.boolean,
      default: false,
      form: 'boolean',
      help: 'Confirms `authRequired: false` on a listener that others can reach.',
    },
    {
      key: 'mcpClientAuthEnabled',
      aliases: ['MCP_CLIENT_AUTH_ENABLED'],
      schema: is.boolean,
      default: true,
      form: 'boolean',
      help: 'false, with trustProxyAuth: the proxy header alone says who is calling; JWTs and keys are not looked at.',
    },
    {
      key: 'trustProxyAuth',
      aliases: ['TRUST_PROXY_AUTH'],
      schema: is.boolean,
      default: false,
      form: 'boolean',
      help: 'Believe proxyUserHeader when the request comes from trustedProxies.',
    },
    {
      key: 'proxyUserHeader',
      aliases: ['PROXY_USER_HEADER'],
      schema: is.headerName,
      default: 'X-Authenticated-User',
      help: 'The header in which a trusted proxy names the user.',
    },
    {
      key: 'trustedProxies',
      schema: is.ranges,
      default: [],
      form: 'list',
      help: 'Addresses or CIDR ranges of proxies that are believed: where a request comes from (X-Forwarded-For) and, with trustProxyAuth, who sends it; and from which alone `/auth/check` may be asked.',
    },
    {
      key: 'socketsPerAddress',
      schema: is.count,
      default: 1000,
      help: 'Connections that one address may have open; this machine and trustedProxies may have any number.',
    },
    {
      key: 'tunnelsPerUser',
      schema: is.count,
      default: 50,
      help: 'Connections of agents that one user may have open.',
    },
    {
      key: 'tunnelQueryToken',
      schema: is.boolean,
      default: true,
      form: 'boolean',
      help: 'false: the token of a ContextForge agent is not taken from the query of its URL.',
    },
    {
      key: 'rateLimits',
      schema: is.rateLimits,
      default: {},
      form: 'structured',
      help: 'How often sign-in, token and key routes may be called, and how many bad credentials may come from one address; see [operation](operation.md#rate-limits).',
    },
    {
      key: 'forwardAuthSecret',
      schema: is.shownSecrets,
      default: [],
      secret: true,
      help: 'What a proxy shows at `/auth/check`, 32 characters or more; or a list of them. Without it nobody may ask there.',
    },
    {
      key: 'jwtSecret',
      aliases: ['JWT_SECRET_KEY'],
      schema: is.hmacKeys,
      default: [],
      secret: true,
      help: 'Shared secret of HS256 JWTs that programs may show, 32 bytes or more; or a list of them.',
    },
    {
      key: 'jwt',
      schema: is.jwtIssuers,
      default: [],
      form: 'structured',
      help: 'Issuers whose JWTs programs may show.',
    },
    {
      key: 'oauthTokenForwarding',
      aliases: ['ENABLE_OAUTH_TOKEN_FORWARDING'],
      schema: is.boolean,
      default: true,
      form: 'boolean',
      help: 'false: sign-in tokens go to no upstream.',
    },
    {
      key: 'oauthTokenForwardingServices',
      aliases: ['OAUTH_TOKEN_FORWARDING_SERVICES'],
      schema: is.services,
      default: ['openai', 'tools', 'mcp', 'terminals'],
      form: 'list',
      help: 'The services that may get sign-in tokens.',
    },
    {
      key: 'responseMode',
      aliases: ['OAUTH_RESPONSE_MODE'],
      schema: is.oneOf('query', 'form_post'),
      default: 'query',
      help: 'How providers answer, where they do not say otherwise: `query` or `form_post`.',
    },
    {
      key: 'providers',
      schema: is.providers,
      default: [],
      form: 'structured',
      help: 'Where people sign in.',
    },
    { key: 'upstreams', schema: is.upstreams, default: [], form: 'structured', help: 'Where requests go.' },
  ] as const satisfies readonly Option[];
}

type Row = ReturnType<typeof createOptions>[number];
/** Every option's value, checked. */
export type Values = { [R in Row as R['key']]: z.output<R['schema']> };

/** The table for those who only read its names and texts. */
export const OPTIONS: readonly Option[] = createOptions({
  secrets: createSecretReader({ env: {}, readFile: () => '', exposed: false }),
  insecureHttp: false,
});

/** `publicUrl` → `SALLYPORT_PUBLIC_URL` */
export const variableOf = (key: string): string =>
  `SALLYPORT_${key.replace(/[A-Z]/g, letter => `_${letter}`).toUpperCase()}`;

/** `publicUrl` → `public-url`; null for options without a flag. */
export const flagOf = (option: Option): string | null =>
  (option.secret && option.key !== 'store') || option.form === 'structured'
    ? null
    : option.key.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
