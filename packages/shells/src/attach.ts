import { timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import type { Caller } from './caller.ts';
import type { Clock } from './settings.ts';
import type { Shell } from './shell.ts';
import { sizeOf, type Terminals } from './terminals.ts';

/** From the open socket to its first message, milliseconds. */
const AUTH_WITHIN = 10_000;
/** Of that message, bytes. */
const AUTH_BYTES = 4_096;
/** One message of keystrokes, bytes. */
const MESSAGE_BYTES = 1024 * 1024;
/** Output that the socket has not taken yet, bytes: above, the shell waits … */
const FULL = 256 * 1024;
/** … until there is less than this. */
const EMPTY = 64 * 1024;

/** The wire's own close codes. */
const CLOSE = { auth: 4001, unknown: 4004, attached: 4009, ended: 1000, gone: 1001 } as const;

/** Takes the WebSockets of terminals, as open-terminal does: a first message that shows the key, then bytes both ways. */
export interface Attachments extends Disposable {
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, caller: Caller, id: string): void;
}

/** @param deps.key that the first message has to show; null: any */
export function createAttachments(deps: {
  terminals: Terminals;
  key: string | null;
  clock: Clock;
}): Attachments {
  const { terminals, key, clock } = deps;
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: true,
    perMessageDeflate: false,
    maxPayload: MESSAGE_BYTES,
  });

  function greet(socket: WebSocket, caller: Caller, id: string): void {
    const waiting = new AbortController();
    socket.on('error', () => {});
    socket.once('close', () => waiting.abort());
    socket.once('message', (data: RawData, isBinary: boolean) => {
      waiting.abort();
      const shown = isBinary ? null : greetingIn(data as Buffer);
      if (shown === null || !isKey(key, shown.token)) return socket.close(CLOSE.auth, 'Invalid API key');
      const shell = terminals.find(caller.user, id);
      const session = caller.session ?? shown.session;
      if (shell === null || (shell.owner.session !== null && shell.owner.session !== session))
        return socket.close(CLOSE.unknown, 'Session not found');
      if (shell.attached) return socket.close(CLOSE.attached, 'Session is already attached');
      join(socket, shell);
    });
    clock.sleep(AUTH_WITHIN, waiting.signal).then(
      () => socket.close(CLOSE.auth, 'Auth timeout'),
      () => {},
    );
  }

  return {
    upgrade(req, socket, head, caller, id) {
      server.handleUpgrade(req, socket, head, accepted => greet(accepted, caller, id));
    },
    [Symbol.dispose]() {
      for (const socket of server.clients) socket.close(CLOSE.gone, 'The server is being stopped');
    },
  };
}

/** Bytes both ways, each at the other's pace; a closed socket is the end of its shell. */
function join(socket: WebSocket, shell: Shell): void {
  let full = false;
  const sent = () => {
    if (!full || socket.bufferedAmount > EMPTY) return;
    full = false;
    shell.resume();
  };
  const leave = shell.attach({
    output(bytes) {
      socket.send(bytes, { binary: true }, sent);
      full = socket.bufferedAmount > FULL;
      return !full;
    },
    ended: () => socket.close(CLOSE.ended, 'The shell has ended'),
  });
  socket.on('message', (data: RawData, isBinary: boolean) => {
    if (isBinary) {
      if (!shell.write(data as Buffer, () => socket.resume())) socket.pause();
    } else {
      const size = resizeIn(data as Buffer);
      if (size !== null) shell.resize(size.cols, size.rows);
    }
  });
  socket.on('close', () => {
    leave();
    void shell.end();
  });
}

function isKey(key: string | null, shown: string): boolean {
  if (key === null) return true;
  const [a, b] = [Buffer.from(key), Buffer.from(shown)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function greetingIn(data: Buffer): { token: string; session: string | null } | null {
  if (data.length > AUTH_BYTES) return null;
  const said = objectIn(data);
  if (said?.['type'] !== 'auth') return null;
  const { token, chat_id } = said;
  return {
    token: typeof token === 'string' ? token : '',
    session: typeof chat_id === 'string' ? chat_id : null,
  };
}

function resizeIn(data: Buffer): { cols: number; rows: number } | null {
  const said = data.length > AUTH_BYTES ? null : objectIn(data);
  return said?.['type'] === 'resize' ? sizeOf(said['cols'], said['rows']) : null;
}

function objectIn(data: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(data.toString('utf8'));
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}
