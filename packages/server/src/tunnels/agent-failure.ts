import type { AgentErrorCode } from '@sallyport/protocol/agent-error.ts';
import { AppError, type ErrorCode } from '../platform/errors.ts';

const CODES: Record<AgentErrorCode, ErrorCode> = {
  'no-server': 'upstream_unreachable',
  'not-allowed': 'forbidden',
  unreachable: 'upstream_unreachable',
  failed: 'upstream_failed',
  busy: 'unavailable',
};

const WORDS: Record<AgentErrorCode, string> = {
  'no-server': 'its agent serves nothing of that name any more',
  'not-allowed': "its agent's own rules do not let this through",
  unreachable: 'its agent cannot reach the local server behind it',
  failed: 'the local server behind it broke off before it answered',
  busy: 'its agent runs as many programs for it as it may; try again',
};

/** An agent's own refusal as an error of ours, in our words: its text is not passed on. */
export function agentFailure(code: string, tunnel: string): AppError {
  const known = Object.hasOwn(CODES, code) ? (code as AgentErrorCode) : 'failed';
  return new AppError(CODES[known], `The tunnel ${tunnel}: ${WORDS[known]}.`);
}

/** Nobody serves it at present. */
export const notConnected = (tunnel: string): AppError =>
  new AppError('upstream_unreachable', `The tunnel ${tunnel} is not connected: its agent is not running.`);

/** It was served a moment ago. @param why for people */
export const tunnelLost = (tunnel: string, why: string): AppError =>
  new AppError(
    'upstream_failed',
    `The tunnel ${tunnel} was lost before the answer came: ${why}. Whether the call took effect is not known.`,
  );

/** What waits for it is as much as may wait. */
export const unread = (tunnel: string): AppError =>
  new AppError(
    'unavailable',
    `The program behind the tunnel ${tunnel} does not read what it is sent; this was not sent. Try again later.`,
  );

export const notOverHttp = (tunnel: string): AppError =>
  new AppError('upstream_failed', `The tunnel ${tunnel} is spoken with in MCP's messages, not over HTTP.`);
