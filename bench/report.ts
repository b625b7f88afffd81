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
  /** Why it is missed, or was not measured. */
  readonly reason: string;
}

/** A candidate or suite that did not run, and what to do. */
export interface Absence {
  readonly what: string;
  readonly why: string;
}

export class Report {
  readonly rows: Row[] = [];
  readonly targets: Target[] = [];
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
  ): void {
    const measured = value !== undefined && !Number.isNaN(value);
    const good = measured ? met(value) : null;
    this.targets.push({
      suite,
      claim,
      value: measured ? value : null,
      met: good,
      reason: good === true ? '' : measured ? reason : 'not measured',
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
    lines.push(
      ...table(
        ['suite', 'target', 'measured', 'verdict'],
        report.targets.map(target => [
          target.suite,
          target.claim,
          target.value === null ? '–' : figure(target.value),
          target.met === null
            ? target.reason
            : target.met
              ? 'met'
              : `**missed**${target.reason && `: ${target.reason}`}`,
        ]),
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** A Markdown table whose columns line up in a terminal too. */
function table(heads: string[], rows: string[][]): string[] {
  const widths = heads.map((head, at) => Math.max(head.length, ...rows.map(row => row[at]!.length)));
  const line = (cells: string[]) => `| ${cells.map((cell, at) => cell.padEnd(widths[at]!)).join(' | ')} |`;
  return [line(heads), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)];
}
