import type { Response } from './json-rpc.ts';
import type { LegacyBack } from './legacy-back.ts';

type Answer = Pick<Response, 'result' | 'error'>;

/** How many listeners want to hear of a resource, and what the server said to the first; by session at the server. */
const counts = new WeakMap<LegacyBack, Map<string, { listeners: number; answer: Promise<Answer> }>>();

/** The server is told of the first listener; the others wait for the same answer. */
export async function subscribe(back: LegacyBack, uri: string): Promise<Answer> {
  const all = counts.get(back) ?? new Map();
  counts.set(back, all);
  const one = all.get(uri) ?? { listeners: 0, answer: back.ask('resources/subscribe', { uri }) };
  all.set(uri, one);
  one.listeners += 1;
  return one.answer;
}

/** And when the last one leaves. */
export async function unsubscribe(back: LegacyBack, uri: string): Promise<Answer> {
  const all = counts.get(back);
  const one = all?.get(uri);
  if (one === undefined) return { result: {} };
  one.listeners -= 1;
  if (one.listeners > 0) return { result: {} };
  all!.delete(uri);
  return back.over ? { result: {} } : back.ask('resources/unsubscribe', { uri });
}
