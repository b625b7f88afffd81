import type { Readable } from 'node:stream';
import { isTwoFaced, plainJson } from '@sallyport/protocol/plain-json.ts';
import { asMessage, isRequest, type Message, parseJson } from './json-rpc.ts';
import { MAX_MESSAGE } from './protocol.ts';
import { notJson, notOneMessage, notPlain, tooLarge } from './refusal.ts';
import type { MayCall } from './tool-rules.ts';

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

/** What is sent on of a body: where rules say which tools may be called, what was read in it and nothing that another reader might find. @throws Refusal */
export function asRead(body: Buffer, mayCall: MayCall): Buffer {
  if (mayCall === null) return body;
  try {
    return Buffer.from(plainJson(body.toString('utf8')));
  } catch {
    throw notJson();
  }
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
  // Nobody would be asked whether they may, and nothing would tell of it, where a server acts upon a call that wants no answer.
  const isLost = 'method' in message && message.method === 'tools/call' && !isRequest(message);
  if (isLost || isTwoFaced(message)) throw notPlain();
  return message;
}
