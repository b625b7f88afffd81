import type { Readable } from 'node:stream';
import { asMessage, type Message, parseJson } from './json-rpc.ts';
import { MAX_MESSAGE } from './protocol.ts';
import { notJson, notOneMessage, tooLarge } from './refusal.ts';

/** A body, whole: at once where it has come. @throws Refusal for one that is too large, and whatever the stream throws */
export function wholeBody(body: Buffer | Readable | null): Buffer | Promise<Buffer> {
  if (body === null) return Buffer.alloc(0);
  if (!Buffer.isBuffer(body)) return gathered(body);
  if (body.length > MAX_MESSAGE) throw tooLarge();
  return body;
}

async function gathered(body: Readable): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > MAX_MESSAGE) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/**
 * What a client posted.
 * @param batches whether several may come at once, as one revision of the legacy era had it (2025-03-26)
 * @throws Refusal
 */
export function readMessages(body: Buffer, batches: boolean): [Message, ...Message[]] {
  const value = parseJson(body.toString('utf8'));
  if (value === undefined) throw notJson();
  if (!Array.isArray(value)) return [checked(value)];
  if (!batches) throw notOneMessage();
  const [first, ...others] = value.map(checked);
  if (first === undefined) throw notOneMessage();
  return [first, ...others];
}

function checked(value: unknown): Message {
  const message = asMessage(value);
  if (message === null) throw notOneMessage();
  return message;
}
