import { z } from 'zod';
import { duration, listenAddress, origin, providerSchema, secretList, storeUrl, strings, jwtIssuer, upstreamSchema, yes } from './schema.ts';

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
  readonly default?: unknown;
  readonly help: string;
  /** Masked when printed; `env:`, `file:` and `…_FILE` are followed. */
  readonly secret?: true;
  /** Structured: no flag; the variable holds YAML or JSON. */
  readonly structured?: true;
}

export const OPTIONS = [
  { key: 'listen', schema: listenAddress, default: '127.0.0.1:8080', help: 'Address and port to listen on.' },
  { key: 'publicUrl', schema: origin, help: 'Origin under which people reach the gateway. Default: the listening address as http://localhost:PORT.' },
  { key: 'allowedHosts', schema: strings, default: [], help: 'Further Host header values to answer to, beside that of publicUrl.' },
  { key: 'store', schema: storeUrl, default: 'sqlite:./data/sallyport.db', help: 'sqlite:PATH or postgres://…; relative paths start at the working directory.' },
  { key: 'dataDir', schema: z.string().min(1), default: './data', help: 'Directory for the embedded encryption key.' },
  { key: 'encryptionKey', aliases: ['OAUTH_TOKEN_ENCRYPTION_KEY'], schema: secretList, default: [], secret: true, help: 'One key or several, newest first, each 32 bytes in base64 or hex. Default: one made once in dataDir.' },
  { key: 'logLevel', schema: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']), default: 'info', help: 'How much to log.' },
  { key: 'insecureHttp', schema: yes, default: false, help: 'Accept http: issuers, upstreams and publicUrl beyond loopback.' },
  { key: 'privateAddresses', schema: yes, default: false, help: 'Let discovery and other URLs that users may set reach private addresses.' },
  { key: 'sessionIdle', schema: duration, default: '12h', help: 'A session ends after this long without a request.' },
  { key: 'sessionAbsolute', schema: duration, default: '7d', help: 'A session ends after this long in any case.' },
  { key: 'authRequired', aliases: ['AUTH_REQUIRED'], schema: yes, default: true, help: 'false lets callers in without a credential, as the anonymous principal.' },
  { key: 'confirmAnonymous', schema: yes, default: false, help: 'Confirms authRequired=false on a listener that others can reach.' },
  { key: 'mcpClientAuthEnabled', aliases: ['MCP_CLIENT_AUTH_ENABLED'], schema: yes, default: true, help: 'false, with trustProxyAuth: the proxy header alone says who is calling; JWTs and keys are not looked at.' },
  { key: 'trustProxyAuth', aliases: ['TRUST_PROXY_AUTH'], schema: yes, default: false, help: 'Believe proxyUserHeader when the request comes from trustedProxies.' },
  { key: 'proxyUserHeader', aliases: ['PROXY_USER_HEADER'], schema: z.string().regex(/^[A-Za-z0-9-]+$/, 'a header name'), default: 'X-Authenticated-User', help: 'The header in which a trusted proxy names the user.' },
  { key: 'trustedProxies', schema: strings, default: [], help: 'Addresses or CIDR ranges whose proxy header is believed.' },
  { key: 'jwtSecret', aliases: ['JWT_SECRET_KEY'], schema: secretList, default: [], secret: true, help: 'Shared secret of HS256 JWTs, 32 bytes or more.' },
  { key: 'jwt', schema: z.array(jwtIssuer), default: [], structured: true, help: 'Issuers whose JWTs programs may show: issuer, audience, jwksUrl or secret.' },
  { key: 'oauthTokenForwarding', aliases: ['ENABLE_OAUTH_TOKEN_FORWARDING'], schema: yes, default: true, help: 'false: sign-in tokens go to no upstream.' },
  { key: 'oauthTokenForwardingServices', aliases: ['OAUTH_TOKEN_FORWARDING_SERVICES'], schema: z.array(z.enum(['openai', 'tools', 'mcp', 'terminals'])), default: ['openai', 'tools', 'mcp', 'terminals'], help: 'The services that may get sign-in tokens.' },
  { key: 'responseMode', aliases: ['OAUTH_RESPONSE_MODE'], schema: z.enum(['query', 'form_post']), default: 'query', help: 'How providers answer, where they do not say otherwise.' },
  { key: 'providers', schema: z.array(providerSchema), default: [], structured: true, help: 'Where people sign in.' },
  { key: 'upstreams', schema: z.array(upstreamSchema), default: [], structured: true, help: 'Where requests go.' },
] as const satisfies readonly Option[];
