/** A recording as asciicast v2 writes it (docs.asciinema.org/manual/asciicast/v2): a header line, then one event a line. */
export interface Cast {
  readonly cols: number;
  readonly rows: number;
  /** Seconds from the first moment to the last event. */
  readonly length: number;
  readonly events: readonly CastEvent[];
}

export interface CastEvent {
  /** Seconds since the recording began; never less than the event before. */
  readonly at: number;
  /** `o`: printed. `r`: the terminal's new size, `COLSxROWS`. */
  readonly kind: 'o' | 'r';
  readonly data: string;
}

const LARGEST = 1000;

/**
 * Reads a whole recording. A last line that was cut off, as when the gateway was killed, is left out.
 * @throws Error when it is no asciicast of version 2
 */
export function readCast(text: string): Cast {
  const lines = text.split('\n');
  const header = json(lines[0] ?? '') as { version?: unknown; width?: unknown; height?: unknown } | null;
  if (header?.version !== 2) throw new Error('This is no recording that the console can play.');
  const events: CastEvent[] = [];
  let last = 0;
  for (const line of lines.slice(1)) {
    const event = json(line);
    if (!Array.isArray(event)) continue;
    const [at, kind, data] = event as unknown[];
    if (typeof at !== 'number' || (kind !== 'o' && kind !== 'r') || typeof data !== 'string') continue;
    last = Math.max(last, at);
    events.push({ at: last, kind, data });
  }
  return { cols: side(header.width, 80), rows: side(header.height, 24), length: last, events };
}

/** `120x40` → `[120, 40]`; null for anything else. */
export function sizeOf(data: string): readonly [number, number] | null {
  const found = /^(\d{1,4})x(\d{1,4})$/.exec(data);
  return found === null ? null : [side(Number(found[1]), 80), side(Number(found[2]), 24)];
}

const side = (value: unknown, otherwise: number): number =>
  typeof value === 'number' && value >= 1 ? Math.min(Math.floor(value), LARGEST) : otherwise;

function json(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
