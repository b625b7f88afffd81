import { type AppError, asAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';

/** Why a client's WebSocket is closed: a code that programs know, and words for people. */
export interface Closing {
  readonly code: number;
  /** 123 bytes at most (RFC 6455 section 5.5). */
  readonly reason: string;
}

export const EXITED: Closing = { code: 1000, reason: 'the shell has ended' };
export const RESTARTING: Closing = { code: 1001, reason: 'the gateway is restarting' };
export const GONE: Closing = { code: 1011, reason: 'the terminal server is gone' };
/** Nobody is there to be told. */
export const LEFT: Closing = { code: 1000, reason: 'nobody came back to it' };
export const NO_AUTH: Closing = { code: 4001, reason: 'no valid credential came in the first message' };
export const REVOKED: Closing = { code: 4001, reason: 'the credential is no longer valid' };
export const DENIED: Closing = { code: 4003, reason: 'you may not use this terminal server any more' };
export const UNKNOWN: Closing = { code: 4004, reason: 'there is no such terminal' };
export const IDLE: Closing = { code: 4008, reason: 'nothing was typed or printed for too long' };
export const TOO_OLD: Closing = { code: 4008, reason: 'the terminal was open for as long as it may be' };
export const TAKEN: Closing = { code: 4009, reason: 'another window has taken this terminal over' };
export const CROWDED: Closing = { code: 4009, reason: 'too many windows show this terminal' };

/** What a terminal server says of the attachment, by its code: in words of ours, since its own may hold anything. */
export function closingOf(code: number): Closing {
  switch (code) {
    case 1000:
    case 1005:
      return EXITED;
    case 4001:
      return { code: 4001, reason: 'the terminal server refuses the credential' };
    case 4002:
    case 4003:
      return { code: 4003, reason: 'the terminal server refuses this user, or cannot reach their terminal' };
    case 4004:
      return UNKNOWN;
    case 4009:
      return { code: 4009, reason: 'the terminal is attached elsewhere, past this gateway' };
    default:
      return GONE;
  }
}

/** An error of ours, where a response can no longer say it. */
export function closingFor(thrown: unknown): Closing {
  const { code, message } = asAppError(thrown);
  return { code: CODES[code] ?? 1011, reason: shortened(message) };
}

const CODES: Partial<Record<AppError['code'], number>> = {
  unauthenticated: 4001,
  credential_missing: 4001,
  reauth_required: 4001,
  csrf: 4003,
  forbidden: 4003,
  not_found: 4004,
  bad_path: 4004,
};

function shortened(text: string): string {
  let short = text;
  while (Buffer.byteLength(short) > 123) short = short.slice(0, -1);
  return short;
}

/** What the client is told in a few words at most, whoever runs the gateway finds in the log. */
export function noteFailure(log: Pick<Logger, 'warn'>, thrown: unknown, upstream: string | null): void {
  const error = asAppError(thrown);
  if (error.status < 500) return;
  const cause = error.cause instanceof Error ? error.cause : error;
  log.warn({ upstream, error: error.code, reason: cause.message }, 'a terminal could not be attached');
}
