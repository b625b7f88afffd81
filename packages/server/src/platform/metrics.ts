/**
 * Counters for the hot path: a number in an array, found once and kept by whoever counts (performance.md: 5 ns against 110 for a
 * library's). Written out in Prometheus' text format. No label may hold a user or a path.
 */
export interface Counter {
  add(by?: number): void;
}

export interface Gauge {
  set(value: number): void;
  add(by: number): void;
}

export interface Histogram {
  /** @param value in the metric's unit, seconds for durations */
  observe(value: number): void;
}

type Labels = Readonly<Record<string, string>>;
type Watched = 'counter' | 'gauge';
type Kind = Watched | 'histogram';
type Reading = readonly [labels: Labels, value: number];

interface Family {
  readonly kind: Kind;
  readonly help: string;
  readonly series: Map<string, Series>;
}

interface Series {
  readonly labels: string;
  value: number;
  /** Counts by bucket, only for histograms; the last one is +Inf. */
  readonly buckets: Float64Array | null;
}

/** Seconds: from a cache hit on loopback to a model that thinks. */
export const LATENCY_BUCKETS = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

export interface Metrics {
  counter(name: string, help: string, labels?: Labels): Counter;
  gauge(name: string, help: string, labels?: Labels): Gauge;
  histogram(name: string, help: string, labels?: Labels): Histogram;
  /** A value that is looked up at each exposition rather than counted, in the order of these calls; NaN: not known just now. */
  watch(
    kind: Watched,
    name: string,
    help: string,
    read: () => number | Promise<number>,
    labels?: Labels,
  ): void;
  /** The same of values that come and go: what the last look did not find is no longer exposed, nor is anything when it fails. */
  watchEach(
    kind: Watched,
    name: string,
    help: string,
    read: () => readonly Reading[] | Promise<readonly Reading[]>,
  ): void;
  /** Prometheus text format 0.0.4. */
  expose(): Promise<string>;
}

export function createMetrics(): Metrics {
  const families = new Map<string, Family>();
  const looks: (() => Promise<void>)[] = [];

  function familyOf(kind: Kind, name: string, help: string): Family {
    let family = families.get(name);
    if (family === undefined) families.set(name, (family = { kind, help, series: new Map() }));
    return family;
  }

  function series(kind: Kind, name: string, help: string, labels: Labels): Series {
    const family = familyOf(kind, name, help);
    const text = Object.entries(labels)
      .map(([key, value]) => `${key}="${escapeLabel(value)}"`)
      .join(',');
    let one = family.series.get(text);
    if (one === undefined) {
      const buckets = kind === 'histogram' ? new Float64Array(LATENCY_BUCKETS.length + 1) : null;
      family.series.set(text, (one = { labels: text, value: 0, buckets }));
    }
    return one;
  }

  return {
    counter(name, help, labels = {}) {
      const one = series('counter', name, help, labels);
      return {
        add(by = 1) {
          one.value += by;
        },
      };
    },
    gauge(name, help, labels = {}) {
      const one = series('gauge', name, help, labels);
      return {
        set(value) {
          one.value = value;
        },
        add(by) {
          one.value += by;
        },
      };
    },
    histogram(name, help, labels = {}) {
      const one = series('histogram', name, help, labels);
      const buckets = one.buckets!;
      return {
        observe(value) {
          one.value += value;
          let at = 0;
          while (at < LATENCY_BUCKETS.length && value > LATENCY_BUCKETS[at]!) at++;
          buckets[at]!++;
        },
      };
    },
    watch(kind, name, help, read, labels = {}) {
      const one = series(kind, name, help, labels);
      looks.push(async () => {
        one.value = await read();
      });
    },
    watchEach(kind, name, help, read) {
      const family = familyOf(kind, name, help);
      looks.push(async () => {
        family.series.clear();
        for (const [labels, value] of await read()) series(kind, name, help, labels).value = value;
      });
    },
    async expose() {
      // One that fails costs its own values; who asks is told the rest.
      for (const look of looks) await look().catch(() => {});
      return [...families].map(([name, family]) => write(name, family)).join('');
    },
  };
}

function write(name: string, family: Family): string {
  const lines = [
    `# HELP ${name} ${family.help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}`,
    `# TYPE ${name} ${family.kind}`,
  ];
  for (const one of family.series.values()) {
    if (one.buckets === null) lines.push(`${name}${braces(one.labels)} ${one.value}`);
    else lines.push(...writeHistogram(name, one, one.buckets));
  }
  return `${lines.join('\n')}\n`;
}

function writeHistogram(name: string, one: Series, buckets: Float64Array): string[] {
  const lines: string[] = [];
  let total = 0;
  buckets.forEach((count, at) => {
    total += count;
    const le = at < LATENCY_BUCKETS.length ? String(LATENCY_BUCKETS[at]) : '+Inf';
    lines.push(`${name}_bucket${braces(one.labels, `le="${le}"`)} ${total}`);
  });
  lines.push(`${name}_sum${braces(one.labels)} ${one.value}`, `${name}_count${braces(one.labels)} ${total}`);
  return lines;
}

function braces(...labels: string[]): string {
  const text = labels.filter(label => label !== '').join(',');
  return text === '' ? '' : `{${text}}`;
}

function escapeLabel(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
