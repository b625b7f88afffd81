import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import { AppError } from '../platform/errors.ts';
import type { Runtime } from '../platform/runtime.ts';
import { NO_AUTH } from './closing.ts';

/** design.md, rule 1: so long, and so much, is heard of somebody who is not known; milliseconds, bytes. */
const WITHIN = 10_000;
const MOST = 4 * 1024;
/** A frame's own head. */
const FRAME_HEAD = 14;

export interface EarlyMessage {
  readonly data: Buffer;
  readonly binary: boolean;
}

/** What a client sends before anybody is there to take it: several messages may come in one piece. */
export class EarlyMessages {
  readonly #socket: WebSocket;
  readonly #messages: EarlyMessage[] = [];
  #first: (() => void) | null = null;
  /** A stranger sends more than is read of one. */
  tooLarge = false;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on('message', this.#keep);
  }

  readonly #keep = (data: Buffer, binary: boolean): void => {
    this.#messages.push({ data, binary });
    this.#first?.();
  };

  /** All that came, in order; from now on somebody else listens. */
  take(): EarlyMessage[] {
    this.#socket.off('message', this.#keep);
    return this.#messages.splice(0);
  }

  /**
   * The token of the first message, `{"type":"auth","token":"…"}`.
   * @param connection on which bytes are counted, so that no large frame is gathered for a stranger
   * @throws AppError `unauthenticated`: none came, in time, or it is something else
   */
  async token(connection: Socket, runtime: Pick<Runtime, 'sleep'>): Promise<string> {
    const over = new AbortController();
    let bytes = 0;
    const arrived = new Promise<void>((resolve, reject) => {
      const count = (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= MOST + FRAME_HEAD || this.#messages.length > 0) return;
        this.tooLarge = true;
        reject(noAuth());
      };
      const close = () => reject(noAuth());
      connection.on('data', count);
      this.#socket.on('close', close);
      this.#first = resolve;
      over.signal.addEventListener('abort', () => {
        connection.off('data', count);
        this.#socket.off('close', close);
        this.#first = null;
      });
      if (this.#messages.length > 0) resolve();
    });
    const late = runtime.sleep(WITHIN, over.signal).then(() => {
      throw noAuth();
    });
    late.catch(() => {});
    try {
      await Promise.race([arrived, late]);
    } finally {
      over.abort();
    }
    const { data, binary } = this.#messages.shift()!;
    const token = binary || data.length > MOST ? null : tokenIn(data.toString('utf8'));
    if (token === null) throw noAuth();
    return token;
  }
}

function tokenIn(text: string): string | null {
  try {
    const said = JSON.parse(text) as { type?: unknown; token?: unknown } | null;
    return said?.type === 'auth' && typeof said.token === 'string' && said.token !== '' ? said.token : null;
  } catch {
    return null;
  }
}

const noAuth = (): AppError => new AppError('unauthenticated', NO_AUTH.reason);
