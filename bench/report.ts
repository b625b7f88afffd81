import { median } from './statistics.ts';

/** One number of the benchmark. */
export interface Row {
  readonly suite: string;
  readonly candidate: string;
  readonly metric: string;
  readonly unit: string;
  /** Median of the rounds. */
  readonly value: number;
  /** To the suite's reference in the same round, median; above 1 is better than the reference. Null where there is none. */
  readonly ratio: number | null;
  /** Smallest and largest round. */
  readonly spread: readonly [number, number];
  readonly rounds: number;
}

/** What we want of a number, and whether it is so. */
export interface Target {
  readonly suite: string;
  readonly claim: string;
  /** Null where it could not be measured. */
  readonly value: number | null;
  readonly met: boolean | null;
  /** A time grows with a machine's slowness, a rate shrinks with it; of the rest, ratios and memory, it says nothing. */
  readonly kind: 'time' | 'rate' | 'relative';
  /** At the speed of the machine that the target was set on; null where nobody can tell. */
  readonly there: { readonly value: number; readonly met: boolean } | null;
  /** Why it is missed, or was not measured. */
  readonly reason: string;
}

/** A candidate or suite that did not run, and what to do. */
export interface Absence {
  readonly what: string;
  readonly why: string;
}

/** A target before the machine's speed is known. */
type Judged = Omit<Target, 'there'> & { readonly meets: (value: number) => boolean };

export class Report {
  readonly #judged: Judged[] = [];
  /** By suite: how many times slower this machine was than the one that the targets were set on. */
  readonly slowness = new Map<string, number>();
  readonly rows: Row[] = [];
  readonly absences: Absence[] = [];

  /** @param values one a round @param ratios one a round, or null */
  row(
    suite: string,
    candidate: string,
    metric: string,
    unit: string,
    values: readonly number[],
    ratios: readonly number[] | null = null,
  ): void {
    const ratio = ratios === null || ratios.length === 0 ? null : median(ratios);
    this.rows.push({
      suite,
      candidate,
      metric,
      unit,
      value: median(values),
      ratio: ratio === null || Number.isNaN(ratio) ? null : ratio,
      spread: [Math.min(...values), Math.max(...values)],
      rounds: values.length,
    });
  }

  /** @param value undefined where it was not measured */
  target(
    suite: string,
    claim: string,
    value: number | undefined,
    met: (value: number) => boolean,
    reason = '',
    kind: Target['kind'] = 'relative',
  ): void {
    const measured = value !== undefined && !Number.isNaN(value);
    const good = measured ? met(value) : null;
    this.#judged.push({
      suite,
      claim,
      value: measured ? value : null,
      met: good,
      meets: met,
      kind,
      reason: good === true ? '' : measured ? reason : 'not measured',
    });
  }

  get targets(): Target[] {
    return this.#judged.map(({ meets, ...target }) => {
      const slowness = this.slowness.get(target.suite);
      if (target.kind === 'relative' || slowness === undefined || target.value === null)
        return { ...target, there: null };
      const value = target.kind === 'time' ? target.value / slowness : target.value * slowness;
      return { ...target, there: { value, met: meets(value) } };
    });
  }

  absent(what: string, why: string): void {
    this.absences.push({ what, why });
    process.stderr.write(`missing: ${what}: ${why}\n`);
  }
}

/** Three digits that matter. */
export function figure(value: number): string {
  if (Number.isNaN(value)) return '–';
  if (Number.isInteger(value)) return value.toLocaleString('en');
  const size = Math.abs(value);
  return size >= 1000
    ? Math.round(value).toLocaleString('en')
    : size >= 100
      ? value.toFixed(0)
      : size >= 10
        ? value.toFixed(1)
        : value.toFixed(size >= 0.995 ? 2 : 3);
}

/** The report as Markdown; what the terminal shows is the same. */
export function markdown(report: Report, facts: Readonly<Record<string, string>>): string {
  const lines = Object.entries(facts).map(([name, value]) => `- ${name}: ${value}`);
  for (const { what, why } of report.absences) lines.push(`- missing: **${what}**: ${why}`);
  for (const suite of new Set(report.rows.map(row => row.suite))) {
    lines.push('', `## ${suite}`, '');
    lines.push(
      ...table(
        ['candidate', 'metric', 'median', 'ratio', 'smallest … largest'],
        report.rows
          .filter(row => row.suite === suite)
          .map(row => [
            row.candidate,
            row.metric,
            `${figure(row.value)} ${row.unit}`.trim(),
            row.ratio === null ? '' : row.ratio.toFixed(2),
            row.rounds > 1 ? row.spread.map(figure).join(' … ') : '',
          ]),
      ),
    );
  }
  if (report.targets.length > 0) {
    lines.push('', '## Targets', '');
    if (report.slowness.size > 0) lines.push(...speeds(report.slowness), '');
    lines.push(
      ...table(
        ['suite', 'target', 'measured', 'at its speed', 'verdict'],
        report.targets.map(target => [
          target.suite,
          target.claim,
          target.value === null ? '–' : figure(target.value),
          target.there === null ? '' : figure(target.there.value),
          verdict(target),
        ]),
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

function speeds(slowness: ReadonlyMap<string, number>): string[] {
  return [
    'Targets in time and rates were set on another machine. How many times slower this one was, by what nginx took to pass on a request before and after',
    `each suite: ${[...slowness].map(([suite, times]) => `${suite} ${times.toFixed(2)}`).join(', ')}. "At its speed" is what was measured, times or over that.`,
  ];
}

function verdict({ met, there, reason }: Target): string {
  if (met === null) return reason;
  if (met) return 'met';
  return `${there?.met ? '**missed** here, met at its speed' : '**missed**'}${reason && `: ${reason}`}`;
}

/** A Markdown table whose columns line up in a terminal too. */
function table(heads: string[], rows: string[][]): string[] {
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map(row => row[at]!.length)));
  const line = (cells: string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |`;
  return [line(heads), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)];
}
