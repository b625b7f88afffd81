import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { type Clock, LIMITS, type ShellSettings } from '../src/settings.ts';
import { createShells, type Shells } from '../src/shells.ts';

export const KEY = 'a key for tests, long enough';

export const clock: Clock = {
  monotonic: () => performance.now(),
  now: () => Date.now(),
  sleep: (ms, signal) => delay(ms, undefined, { signal, ref: false }),
};

// biome-ignore lint/suspicious/noExplicitAny: what a call answers is what its test looks at.
export type Answer = any;

/** What a command has printed. */
export const saidIn = (json: { output: { data: string }[] }): string =>
  json.output.map(({ data }) => data).join('');

export interface House {
  readonly shells: Shells;
  readonly homes: string;
  /** Its `json` is what the test says it is. */
  call(
    method: string,
    path: string,
    more?: { body?: unknown; user?: string; headers?: Record<string, string> },
  ): Promise<{
    status: number;
    headers: IncomingMessage['headers'];
    bytes: Buffer;
    text: string;
    json: Answer;
  }>;
  /** Makes a terminal and attaches to it. */
  open(user?: string, size?: { cols: number; rows: number }): Promise<Attached>;
  attach(id: string, user?: string, key?: string): Attached;
}

/** A terminal server, whose users' homes go with the test. */
export function house(
  t: TestContext,
  { clock: own = clock, ...more }: Partial<ShellSettings> & { clock?: Clock } = {},
): House {
  const homes = mkdtempSync(join(tmpdir(), 'shells-'));
  const settings: ShellSettings = {
    shell: ['/bin/bash', '--norc'],
    homes,
    env: { PS1: '$ ' },
    account: null,
    privileges: false,
    lingers: false,
    isolate: 'none',
    network: false,
    limits: LIMITS,
    ...more,
  };
  const shells = createShells({ settings, key: KEY, clock: own });
  const agent = new Agent();
  agent.createConnection = () => shells.connect() as ReturnType<Agent['createConnection']>;
  t.after(async () => {
    agent.destroy();
    await shells[Symbol.asyncDispose]();
    rmSync(homes, { recursive: true, force: true });
  });

  const house: House = {
    shells,
    homes,
    async call(method, path, { body, user = 'alice', headers = {} } = {}) {
      const raw = body instanceof Buffer ? body : body === undefined ? undefined : JSON.stringify(body);
      const req = request({
        agent,
        method,
        path,
        headers: { authorization: `Bearer ${KEY}`, 'x-user-id': user, ...headers },
      });
      req.end(raw);
      const [res] = (await once(req, 'response')) as [IncomingMessage];
      const bytes = Buffer.concat(await Array.fromAsync(res as AsyncIterable<Buffer>));
      const text = bytes.toString('utf8');
      let json: unknown = null;
      try {
        json = JSON.parse(text);
      } catch {
        // No JSON.
      }
      return { status: res.statusCode!, headers: res.headers, bytes, text, json };
    },
    async open(user = 'alice', size) {
      const made = await house.call('POST', '/api/terminals', { user, body: size });
      if (made.status !== 200) throw new Error(made.text);
      return house.attach(made.json.id, user);
    },
    attach: (id, user = 'alice', key = KEY) => new Attached(shells, id, user, key),
  };
  return house;
}

/** A client at a terminal. */
export class Attached {
  readonly id: string;
  readonly socket: WebSocket;
  readonly closed: Promise<{ code: number; reason: string }>;
  output = '';
  bytes = 0;
  /** Beyond this, only counted. */
  #keep = 1_000_000;
  #check: () => void = () => {};

  constructor(shells: Shells, id: string, user: string, key: string) {
    this.id = id;
    this.socket = new WebSocket(`ws://shells/api/terminals/${id}`, {
      createConnection: (() => shells.connect()) as never,
      headers: { 'x-user-id': user },
      perMessageDeflate: false,
    });
    this.closed = new Promise(resolve =>
      this.socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
    );
    this.socket.on('error', () => {});
    this.socket.on('open', () => this.socket.send(JSON.stringify({ type: 'auth', token: key })));
    this.socket.on('message', (data: Buffer) => {
      this.bytes += data.length;
      if (this.output.length < this.#keep) this.output += data.toString('latin1');
      this.#check();
    });
  }

  /** Resolves when the output has it. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>();
    this.#check = () => {
      const found = pattern.exec(this.output);
      if (found !== null) resolve(found);
    };
    void this.closed.then(({ code }) => reject(new Error(`closed ${code}: ${this.output.slice(-2_000)}`)));
    const late = setTimeout(
      () => reject(new Error(`not said: ${pattern}: ${this.output.slice(-2_000)}`)),
      20_000,
    );
    this.#check();
    try {
      return await promise;
    } finally {
      clearTimeout(late);
    }
  }

  type(text: string): void {
    const send = () => this.socket.send(Buffer.from(text));
    if (this.socket.readyState === WebSocket.OPEN) send();
    else this.socket.once('open', () => setImmediate(send));
  }

  resize(cols: number, rows: number): void {
    this.socket.send(JSON.stringify({ type: 'resize', cols, rows }));
  }
}
