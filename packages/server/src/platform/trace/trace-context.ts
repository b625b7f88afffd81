/** Where a request stands in its caller's trace (W3C Trace Context section 3.2). */
export interface TraceParent {
  /** 32 and 16 lower-case hexadecimal digits. */
  readonly traceId: string;
  readonly spanId: string;
  /** Whether the caller records it. */
  readonly sampled: boolean;
}

const FIELDS = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const SAMPLED = 0x01;

/** Null for what is no `traceparent`: then the trace begins here (section 4.3). */
export function readTraceparent(value: string | string[] | undefined): TraceParent | null {
  if (typeof value !== 'string') return null;
  const match = FIELDS.exec(value);
  if (match === null) return null;
  const [, version, traceId, spanId, flags, more] = match;
  // Section 3.2.2: ff is no version, 00 has no more fields, a later one may.
  if (version === 'ff' || (version === '00' && more !== undefined)) return null;
  // Section 3.2.2.3, 3.2.2.4: all zeros name nothing.
  if (/^0+$/.test(traceId!) || /^0+$/.test(spanId!)) return null;
  const sampled = (Number.parseInt(flags!, 16) & SAMPLED) === SAMPLED;
  return { traceId: traceId!, spanId: spanId!, sampled };
}

/** As this version of the specification writes it. */
export const writeTraceparent = ({ traceId, spanId, sampled }: TraceParent): string =>
  `00-${traceId}-${spanId}-${sampled ? '01' : '00'}`;
