import type { Response } from './json-rpc.ts';
import type { LegacyBack } from './legacy-back.ts';

/** How many listeners want to hear of a resource, by session at the server. */
const counts = new WeakMap<LegacyBack, Map<string, number>>();

/** The server is told of the first listener. */
export async function subscribe(back: LegacyBack, uri: string): Promise<Pick<Response, 'result' | 'error'>> {
  const all = counts.get(back) ?? new Map<string, number>();
  counts.set(back, all);
  const before = all.get(uri) ?? 0;
  all.set(uri, before + 1);
  return before === 0 ? back.ask('resources/subscribe', { uri }) : { result: {} };
}

/** And when the last one leaves. */
export async function unsubscribe(
  back: LegacyBack,
  uri: string,
): Promise<Pick<Response, 'result' | 'error'>> {
  const all = counts.get(back);
  const before = all?.get(uri) ?? 0;
  if (before > 1) all!.set(uri, before - 1);
  else if (before === 1) {
    all!.delete(uri);
    if (!back.over) return back.ask('resources/unsubscribe', { uri });
  }
  return { result: {} };
}
