import type { Duplex } from 'node:stream';
import { AppError } from '../platform/errors.ts';
import type { Credential } from '../terms/credential.ts';
import type { Principal } from '../terms/principal.ts';
import { HandshakeRefused, type SocketWay } from '../terms/socket-way.ts';
import type { Transport } from '../terms/transport.ts';
import type { Upstream } from '../terms/upstream.ts';
import { askServer } from './ask-server.ts';
import { noSuchTerminal, serverPath, terminalPath } from './target.ts';
import type { Terminal } from './terminal-store.ts';

/** After so long a server that wants its token in the URL is asked again whether it still does, milliseconds. */
const REMEMBERED = 60 * 60_000;

export interface DialDeps {
  socketTo(upstream: Upstream): SocketWay;
  transportTo(upstream: Upstream): Transport;
  vault: {
    credentialFor(principal: Principal, upstream: Upstream): Credential | null | Promise<Credential | null>;
    /** Something newer than a credential that the upstream refused, or null. */
    renew(principal: Principal, upstream: Upstream, refused: Credential): Promise<Credential | null>;
  };
  now(): number;
}

/** What is asked of a terminal server for somebody. */
export interface Servant {
  /**
   * Attaches a terminal, showing everything that some version of a server wants to see: the credential and the user at the handshake, the user
   * in the query, the credential again in the first message; in the query only where a server takes it no other way.
   * @param renewed whether the credential was refused a moment ago
   * @returns the frames, and the first message, which is to be sent before anything else
   */
  attach(
    ask: Asked,
    renewed: boolean,
    signal: AbortSignal,
  ): Promise<{ stream: Duplex; firstMessage: string }>;
  /** Whether the server still knows it; null where it does not say. */
  lives(ask: Asked): Promise<boolean | null>;
  /** @returns whether it is gone there */
  remove(ask: Asked): Promise<boolean>;
}

export interface Asked {
  readonly principal: Principal;
  readonly upstream: Upstream;
  readonly terminal: Pick<Terminal, 'id' | 'sessionId' | 'contextId'>;
}

export function createServant(deps: DialDeps): Servant {
  const { vault, now } = deps;
  /** Servers that took the token in the query alone, and since when that is known. */
  const inQuery = new WeakMap<Upstream, number>();

  const headersOf = ({ principal, terminal }: Asked, credential: Credential | null): string[] => [
    'x-user-id',
    principal.userId,
    ...(terminal.sessionId === null ? [] : ['x-session-id', terminal.sessionId]),
    ...(terminal.contextId === null ? [] : ['x-terminal-context-id', terminal.contextId]),
    ...(credential === null ? [] : [credential.header, credential.value]),
  ];

  async function open(
    ask: Asked,
    credential: Credential | null,
    query: boolean,
    signal: AbortSignal,
  ): Promise<Duplex> {
    const { principal, upstream, terminal } = ask;
    const parameters = new URLSearchParams({ user_id: principal.userId });
    if (terminal.contextId !== null) parameters.set('context_id', terminal.contextId);
    if (query && credential !== null) parameters.set('token', bare(credential));
    const path = `${serverPath(upstream, terminalPath(terminal.id))}?${parameters}`;
    return (await deps.socketTo(upstream).open(path, headersOf(ask, credential), signal)).stream;
  }

  async function ask(method: 'GET' | 'DELETE', asked: Asked, credential: Credential | null): Promise<number> {
    const { upstream, terminal } = asked;
    return askServer(deps.transportTo(upstream), {
      method,
      path: serverPath(upstream, terminalPath(terminal.id)),
      headers: headersOf(asked, credential),
    });
  }

  /** In which ways a credential is shown, one after the other. */
  function waysOf(upstream: Upstream, credential: Credential | null): readonly boolean[] {
    const mode = upstream.terminal?.attach ?? 'auto';
    if (mode === 'message' || credential === null) return [false];
    const known = inQuery.get(upstream);
    if (mode === 'query' || (known !== undefined && now() - known < REMEMBERED)) return [true];
    return [false, true];
  }

  /** @returns null where the server refuses this credential in every way that it may be shown */
  async function tryWith(
    asked: Asked,
    credential: Credential | null,
    signal: AbortSignal,
  ): Promise<Duplex | null> {
    const { upstream } = asked;
    for (const query of waysOf(upstream, credential)) {
      try {
        const stream = await open(asked, credential, query, signal);
        if (query && !inQuery.has(upstream)) inQuery.set(upstream, now());
        return stream;
      } catch (error) {
        if (!(error instanceof HandshakeRefused)) throw error;
        inQuery.delete(upstream);
        if (error.status !== 401 && error.status !== 403 && error.status !== 404)
          throw failed(upstream, error);
      }
      // A terminal that is gone is refused like a credential that is wrong, and for it no token goes into any URL.
      const status = await ask('GET', asked, credential);
      if (status === 404) throw noSuchTerminal();
      if (status === 401 || status === 403) return null;
    }
    return null;
  }

  return {
    async attach(asked, renewed, signal) {
      const { principal, upstream, terminal } = asked;
      let credential = await vault.credentialFor(principal, upstream);
      const renew = async () =>
        credential === null || credential.source === null
          ? null
          : vault.renew(principal, upstream, credential);
      if (renewed) credential = (await renew()) ?? refused(upstream);
      let stream = await tryWith(asked, credential, signal);
      if (stream === null && !renewed) {
        credential = (await renew()) ?? refused(upstream);
        stream = await tryWith(asked, credential, signal);
      }
      if (stream === null) refused(upstream);
      // Servers of today want it even where there is no key.
      const token = credential === null ? '' : bare(credential);
      const chat = terminal.sessionId === null ? {} : { chat_id: terminal.sessionId };
      return { stream, firstMessage: JSON.stringify({ type: 'auth', token, ...chat }) };
    },

    async lives(asked) {
      const credential = await vault.credentialFor(asked.principal, asked.upstream);
      const status = await ask('GET', asked, credential);
      if (status === 404) return false;
      return status === 200 ? true : null;
    },

    async remove(asked) {
      const credential = await vault.credentialFor(asked.principal, asked.upstream);
      const status = await ask('DELETE', asked, credential);
      return status === 404 || (status >= 200 && status < 300);
    },
  };
}

/** Without the scheme that stands before it in a header. */
const bare = ({ header, value }: Credential): string =>
  header === 'authorization' ? value.slice(value.indexOf(' ') + 1) : value;

function refused({ id }: Upstream): never {
  throw new AppError('unauthenticated', `The terminal server ${id} refuses the credential.`);
}

const failed = ({ id }: Upstream, cause: HandshakeRefused): AppError =>
  new AppError('upstream_failed', `The terminal server ${id} does not open the terminal (${cause.status}).`, {
    cause,
  });
