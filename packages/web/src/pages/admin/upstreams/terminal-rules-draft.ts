import type { TerminalRules } from '../../../api/types.ts';

/** Milliseconds, by the words of the configuration file, the longest first. */
const UNITS = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000, ms: 1 };

/** A duration as people write it: `600000ms` is `10m`. What is none stays as it is. */
export function shortDuration(written: string | undefined): string | undefined {
  const [, count, unit] = /^(\d+)(ms|s|m|h|d)$/.exec(written ?? '') ?? [];
  if (count === undefined) return written;
  const ms = Number(count) * UNITS[unit as keyof typeof UNITS];
  const [name, length] = Object.entries(UNITS).find(([, each]) => ms >= each && ms % each === 0) ?? ['ms', 1];
  return `${ms / length}${name}`;
}

/** The rules that stand in the form. A field that is empty says nothing, so that what holds for everybody holds. */
export function terminalRulesIn(form: FormData): TerminalRules {
  const text = (name: keyof TerminalRules) => String(form.get(name) ?? '').trim() || undefined;
  return {
    attach: text('attach'),
    policy: text('policy'),
    reattach: text('reattach'),
    orphanAfter: text('orphanAfter'),
    idle: text('idle'),
    lifetime: text('lifetime'),
    record: form.has('record'),
  };
}
