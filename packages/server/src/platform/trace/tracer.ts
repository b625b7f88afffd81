import type { IncomingHttpHeaders } from 'node:http';
import type { Runtime } from '../runtime.ts';
import type { Sampler } from './sampler.ts';
import { readTraceparent, type TraceParent, writeTraceparent } from './trace-context.ts';

export type SpanKind = 'internal' | 'server' | 'client';
export type Attributes = Readonly<Record<string, string | number>>;

/** One step of one call, as it is exported. Times are epoch milliseconds, with fractions. Holds no user, path, address or secret. */
export interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentId: string | null;
  readonly name: string;
  readonly kind: SpanKind;
  readonly start: number;
  readonly end: number;
  readonly attributes: Attributes;
  readonly failed: boolean;
}

type OpenSpan = { -readonly [K in keyof Span]: Span[K] };

/** What the upstream is told of the trace. */
export interface TraceHeaders {
  readonly traceparent: string;
  /** Whether the trace is the caller's own, whose `tracestate` then goes along. */
  readonly continued: boolean;
}

/** The spans of one recorded call: the call itself, and within it one step after the other. */
export interface Trace {
  readonly traceId: string;
  /** A step begins, and the one before is over. */
  step(name: string, kind?: SpanKind, attributes?: Attributes): void;
  /** Says more of the step under way. */
  note(attributes: Attributes): void;
  done(): void;
  /** The step under way is the parent of what happens at its other end. */
  headers(): TraceHeaders;
  /** The call is over, and with it the step under way. @param failed whether what went wrong is not the caller's doing */
  end(attributes: Attributes, failed: boolean): void;
}

export type StartTrace = (
  call: { readonly headers: IncomingHttpHeaders; readonly startedAt: number },
  name: string,
) => Trace | null;

/**
 * Begins the traces of calls; null for a call that is not recorded, which then costs a look at one header.
 * @param deps.take takes the spans of a call that is over
 */
export function createTracer(deps: {
  sampler: Sampler;
  take(spans: readonly Span[]): void;
  runtime: Pick<Runtime, 'now' | 'monotonic' | 'random'>;
}): StartTrace {
  const { sampler, take, runtime } = deps;
  const ids = createIds(runtime);

  return (call, name) => {
    const parent = readTraceparent(call.headers.traceparent);
    const traceId = parent?.traceId ?? ids.hex(16);
    return sampler(traceId, parent) ? trace(traceId, parent, call.startedAt, name) : null;
  };

  function trace(traceId: string, parent: TraceParent | null, startedAt: number, name: string): Trace {
    const toEpoch = runtime.now() - runtime.monotonic();
    const spans: OpenSpan[] = [];
    const open = (
      name: string,
      kind: SpanKind,
      parentId: string | null,
      attributes: Attributes,
    ): OpenSpan => {
      const start = toEpoch + runtime.monotonic();
      const span = {
        traceId,
        spanId: ids.hex(8),
        parentId,
        name,
        kind,
        start,
        end: 0,
        attributes,
        failed: false,
      };
      spans.push(span);
      return span;
    };
    const whole = open(name, 'server', parent?.spanId ?? null, {});
    whole.start = toEpoch + startedAt;
    let step: OpenSpan | null = null;

    const done = () => {
      if (step !== null) step.end = toEpoch + runtime.monotonic();
      step = null;
    };
    const note = (attributes: Attributes) => {
      if (step !== null) step.attributes = { ...step.attributes, ...attributes };
    };
    return {
      traceId,
      step(name, kind = 'internal', attributes = {}) {
        done();
        step = open(name, kind, whole.spanId, attributes);
      },
      note,
      done,
      headers: () => ({
        traceparent: writeTraceparent({ traceId, spanId: (step ?? whole).spanId, sampled: true }),
        continued: parent !== null,
      }),
      end(attributes, failed) {
        if (step !== null) step.failed = failed;
        done();
        whole.attributes = attributes;
        whole.failed = failed;
        whole.end = toEpoch + runtime.monotonic();
        take(spans);
      },
    };
  }
}

/** Random ids out of a store that is filled now and then: asking for a few bytes at a time costs more than the span. */
function createIds(runtime: Pick<Runtime, 'random'>) {
  const STORE = 4_096;
  let store: Buffer = Buffer.alloc(0);
  let at = 0;
  return {
    hex(bytes: number): string {
      if (at + bytes > store.length) [store, at] = [runtime.random(STORE), 0];
      at += bytes;
      return store.toString('hex', at - bytes, at);
    },
  };
}
