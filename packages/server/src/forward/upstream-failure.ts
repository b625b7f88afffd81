import { AppError } from '../platform/errors.ts';
import type { Upstream } from '../terms/upstream.ts';

const UNREACHABLE = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ERR_CONNECT_TIMEOUT',
]);
const SILENT = new Set(['ETIMEDOUT']);

/** A transport's error as one of ours; its own words stay in the log. */
export function upstreamFailure(error: Error, upstream: Upstream): AppError {
  // A refusal of ours on the way (the body turned out to be none that may pass) is no failure of the upstream.
  if (error instanceof AppError) return error;
  const code = codeOf(error);
  const { id } = upstream;
  const cause = { cause: error };
  if (SILENT.has(code))
    return new AppError('upstream_timeout', `The upstream ${id} did not answer in time.`, cause);
  if (UNREACHABLE.has(code))
    return new AppError('upstream_unreachable', `The upstream ${id} cannot be reached.`, cause);
  return new AppError('upstream_failed', `The upstream ${id} broke off before it answered.`, cause);
}

/** Of a name with several addresses, the errors come together. */
function codeOf(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== undefined) return code;
  const first: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return (first as NodeJS.ErrnoException | undefined)?.code ?? '';
}
