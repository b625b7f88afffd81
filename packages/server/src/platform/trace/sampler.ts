import type { TraceParent } from './trace-context.ts';

/** The samplers of the OpenTelemetry specification, by the names that `OTEL_TRACES_SAMPLER` has for them. */
export const SAMPLERS = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const;

export type SamplerName = (typeof SAMPLERS)[number];

/** Whether a call is recorded. */
export type Sampler = (traceId: string, parent: TraceParent | null) => boolean;

/** Of the trace id's random end (W3C Trace Context Level 2 section 3.2.2.3.1: 56 bits), as much as a number holds exactly. */
const RANDOM_DIGITS = 13;
const RANDOM_RANGE = 16 ** RANDOM_DIGITS;

/** @param ratio from 0 to 1; the same traces are chosen by everybody who has the same ratio */
export function createSampler(name: SamplerName, ratio: number): Sampler {
  const chosen = (traceId: string): boolean => {
    if (name.endsWith('always_on')) return true;
    if (name.endsWith('always_off')) return false;
    return Number.parseInt(traceId.slice(-RANDOM_DIGITS), 16) < ratio * RANDOM_RANGE;
  };
  if (!name.startsWith('parentbased_')) return chosen;
  return (traceId, parent) => (parent === null ? chosen(traceId) : parent.sampled);
}
