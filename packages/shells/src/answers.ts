import type { IncomingMessage, ServerResponse } from 'node:http';

/** A call that is answered with no; the body has open-terminal's shape. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  /** @param key `error` for calls about terminals, `detail` for all others */
  constructor(status: number, said: string, key: 'detail' | 'error' = 'detail') {
    super(said);
    this.status = status;
    this.body = { [key]: said };
  }
}

export function answerJson(res: ServerResponse, status: number, body: unknown): void {
  if (res.headersSent || res.destroyed) return;
  const text = JSON.stringify(body);
  res.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  });
  res.end(text);
}

/** Answers with what a call came to: the value of a promise, or how it failed. */
export async function answerWith(res: ServerResponse, work: Promise<unknown>): Promise<void> {
  try {
    const value = await work;
    if (value !== undefined) answerJson(res, 200, value);
  } catch (error) {
    const refused = error instanceof Refused ? error : new Refused(...systemRefusal(error));
    answerJson(res, refused.status, refused.body);
  }
}

/** What the system said no to is the caller's affair; the path in its words is the one that the caller named. */
function systemRefusal(error: unknown): [status: number, said: string] {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES' || code === 'EPERM') return [403, message];
  if (code === 'ENOENT') return [404, message];
  return code === undefined ? [500, 'It failed.'] : [400, message];
}

/** A file's content comes in one body, bytes. */
const MAX_BODY = 32 * 1024 * 1024;

/** @returns an empty object where there is no body @throws Refused */
export async function readJson(req: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const text = (await readBody(req, MAX_BODY)).toString('utf8');
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // Answered below.
  }
  throw new Refused(422, 'The body has to be a JSON object.');
}

/** @throws Refused */
export async function readBody(req: IncomingMessage, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw new Refused(413, `The body is larger than ${most} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** What a call's query says; clients write `null` for what they leave out. */
export class Query {
  readonly #params: URLSearchParams;

  constructor(url: string) {
    const at = url.indexOf('?');
    this.#params = new URLSearchParams(at < 0 ? '' : url.slice(at));
  }

  text(name: string): string | null {
    const value = this.#params.get(name);
    return value === null || value.toLowerCase() === 'null' ? null : value;
  }

  /** @throws Refused */
  required(name: string): string {
    const value = this.text(name);
    if (value === null) throw new Refused(422, `${name}: expected in the query`);
    return value;
  }

  texts(name: string): string[] {
    return this.#params.getAll(name).filter(value => value.toLowerCase() !== 'null');
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.text(name);
    return value === null ? fallback : ['true', '1', 'yes', 'on'].includes(value.toLowerCase());
  }

  /** @throws Refused */
  number(name: string, least: number, most: number): number | null {
    const text = this.text(name);
    if (text === null || text === '') return null;
    const value = Number(text);
    if (!(value >= least && value <= most))
      throw new Refused(422, `${name}: expected a number from ${least} to ${most}`);
    return value;
  }
}

/** @throws Refused */
export function textIn(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name];
  if (typeof value !== 'string') throw new Refused(422, `${name}: expected a text`);
  return value;
}
