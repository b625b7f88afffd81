import type { Attributes, Span, SpanKind } from './tracer.ts';

/** SpanKind of the OTLP protocol. */
const KIND: Record<SpanKind, number> = { internal: 1, server: 2, client: 3 };
const STATUS_ERROR = 2;
/** Bits 0 (sampled) and 8 (it is known whether the parent is remote). */
const FLAGS = 0x101;
const PARENT_IS_REMOTE = 0x200;

/** An `ExportTraceServiceRequest` of OTLP 1 in its JSON form: ids in hexadecimal, 64-bit numbers as text. */
export function otlpRequest(
  spans: readonly Span[],
  about: { readonly resource: Attributes; readonly version: string },
): string {
  return JSON.stringify({
    resourceSpans: [
      {
        resource: { attributes: keyValues(about.resource) },
        scopeSpans: [{ scope: { name: 'sallyport', version: about.version }, spans: spans.map(onWire) }],
      },
    ],
  });
}

const onWire = (span: Span) => ({
  traceId: span.traceId,
  spanId: span.spanId,
  ...(span.parentId === null ? {} : { parentSpanId: span.parentId }),
  flags: span.kind === 'server' && span.parentId !== null ? FLAGS | PARENT_IS_REMOTE : FLAGS,
  name: span.name,
  kind: KIND[span.kind],
  startTimeUnixNano: nanoseconds(span.start),
  endTimeUnixNano: nanoseconds(span.end),
  attributes: keyValues(span.attributes),
  status: span.failed ? { code: STATUS_ERROR } : {},
});

/** Exact to the microsecond, which is as much as a JavaScript number of today holds. */
const nanoseconds = (milliseconds: number): string => `${Math.round(milliseconds * 1_000)}000`;

const keyValues = (attributes: Attributes) =>
  Object.entries(attributes).map(([key, value]) => ({
    key,
    value: typeof value === 'number' ? { intValue: String(value) } : { stringValue: value },
  }));
