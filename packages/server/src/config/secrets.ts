import { Secret } from '../platform/secret.ts';
import { Refusal } from './problems.ts';

/** What a secret is for decides what is good enough. */
export type Purpose =
  /** Shown to a provider as `client_secret`. */
  | 'client'
  /** Sent in a request header. */
  | 'header'
  /** Shown to us in a request header by a proxy: to be guessed by nobody, 32 bytes or more. */
  | 'proxy'
  /** HS256 key: RFC 7518 §3.2 wants as many bytes as the hash has, 32. */
  | 'hmac'
  /** Seals what is stored: AES-256, exactly 32 bytes. */
  | 'seal';

/** Values that are in a hundred README files. Short ones that a purpose's length refuses anyway need not be here. */
const KNOWN_DEFAULT =
  /^(?:my-test-.*|change[-_ ]?(?:me|it|this).*|replace[-_ ]?(?:me|this).*|(?:your|my)[-_ ](?:secret|key|jwt|token|password).*|<.*>|\$\{.*\}|secret|password|passw0rd|admin|default|test|token|example|insecure|dummy|placeholder|(.)\1*|0123456789abcdef.*|(.{2,8})\2+)$/i;

/** Reads secrets as they stand: who may write them is not to be handed the variables and files of this machine. */
export const createPlainSecretReader = (deps: { exposed: boolean }): SecretReader =>
  createSecretReader({
    ...deps,
    env: {},
    readFile: () => '',
    references: false,
  });

/** Follows `env:NAME` and `file:PATH`; anything else is the secret itself. */
export function createSecretReader(deps: {
  env: Readonly<Record<string, string | undefined>>;
  readFile: (path: string) => string;
  /** Whether others than this machine reach the listener: rule 9 then refuses known defaults. */
  exposed: boolean;
  /** False: `env:` and `file:` are refused. */
  references?: boolean;
}) {
  const followed = new Set<string>();

  function text(reference: string): { text: string; source: string } {
    if (deps.references === false && /^(env|file):/.test(reference)) {
      throw new Refusal(
        'expected the secret itself, since env: and file: are followed in the configuration file only',
      );
    }
    if (reference.startsWith('env:')) {
      const name = reference.slice(4);
      followed.add(name);
      const value = deps.env[name];
      if (value === undefined)
        throw new Refusal(`expected a secret, but the environment variable ${name} is not set`);
      if (value === '') throw new Refusal(`expected a secret, but the environment variable ${name} is empty`);
      return { text: value, source: reference };
    }
    if (reference.startsWith('file:')) {
      const path = reference.slice(5);
      let value: string;
      try {
        value = deps.readFile(path);
      } catch (error) {
        const reason = (error as NodeJS.ErrnoException).code ?? 'unreadable';
        throw new Refusal(`expected a secret, but the file ${path} cannot be read (${reason})`);
      }
      value = value.replace(/\r?\n$/, '');
      if (value === '') throw new Refusal(`expected a secret, but the file ${path} is empty`);
      return { text: value, source: reference };
    }
    if (reference === '') throw new Refusal('expected a secret, but it is empty');
    return { text: reference, source: 'inline' };
  }

  return {
    /** Names that some `env:NAME` spoke of. */
    followed: followed as ReadonlySet<string>,
    text,
    /** @throws Refusal when it is missing, unfit for its purpose, or a known default that others could guess */
    read(reference: string, purpose: Purpose): Secret {
      const found = text(reference);
      return checked(new Secret(found.text, found.source), purpose, deps.exposed);
    },
    /** Several in one text, separated by commas or white space. */
    readSeveral(reference: string, purpose: Purpose): Secret[] {
      const found = text(reference);
      const parts = found.text.split(/[\s,]+/).filter(part => part !== '');
      return parts.map(part => checked(new Secret(part, found.source), purpose, deps.exposed));
    },
  };
}

export type SecretReader = ReturnType<typeof createSecretReader>;

function checked(secret: Secret, purpose: Purpose, exposed: boolean): Secret {
  const value = secret.reveal();
  if (purpose === 'seal' && !isKey(value)) {
    throw new Refusal(
      'expected a key of exactly 32 bytes in base64 or hex; make one with: openssl rand -base64 32',
    );
  }
  if (purpose === 'hmac' && Buffer.byteLength(value) < 32) {
    throw new Refusal('expected 32 bytes or more (RFC 7518 §3.2); make one with: openssl rand -base64 32');
  }
  if (purpose === 'proxy' && Buffer.byteLength(value) < 32) {
    throw new Refusal('expected 32 characters or more; make one with: openssl rand -hex 32');
  }
  // RFC 9110 §5.5: a field value holds visible ASCII, spaces and tabs; a line break would be a second header.
  if (
    (purpose === 'header' || purpose === 'proxy') &&
    !/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(value)
  ) {
    throw new Refusal('expected a key of visible ASCII characters, since it is sent in a header');
  }
  if (exposed && (KNOWN_DEFAULT.test(value) || (purpose === 'seal' && new Set(keyBytes(value)).size < 8))) {
    throw new Refusal(
      'expected a secret of your own: this one is a known default, and the listener is not loopback',
    );
  }
  return secret;
}

const keyBytes = (text: string): Buffer => Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? 'hex' : 'base64');

/** Either alphabet of base64 (RFC 4648 §4, §5), padded or not, or hex. */
function isKey(text: string): boolean {
  return (
    /^[0-9a-f]{64}$/i.test(text) || (/^[A-Za-z0-9+/_-]{43}=?$/.test(text) && keyBytes(text).length === 32)
  );
}
