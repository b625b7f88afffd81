import { lower } from './capabilities.ts';
import type { LegacyBack } from './legacy-back.ts';

const levels = new WeakMap<LegacyBack, string>();

/** A legacy server logs for a session as a whole: it is told the lowest level that anybody in it asked for. */
export async function wantLevel(back: LegacyBack, wanted: string): Promise<void> {
  if (back.introduction.capabilities['logging'] === undefined) return;
  const now = levels.get(back) ?? null;
  const next = lower(now, wanted);
  if (next === now) return;
  levels.set(back, next);
  await back.ask('logging/setLevel', { level: next });
}
