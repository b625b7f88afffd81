/** The header by which an agent says that an answer is its own and not the local server's; it lets no local server set it. */
export const AGENT_ERROR = 'sallyport-error';

/** What went wrong at the agent, with the HTTP status that goes along. */
export const AGENT_ERRORS = {
  /** The agent serves no such server. */
  'no-server': 404,
  /** The agent's own rules do not let the request through. */
  'not-allowed': 403,
  /** The local server cannot be reached, or its program does not start. */
  unreachable: 502,
  /** The local server broke off before it answered. */
  failed: 502,
  /** As many of this server's programs run as may. */
  busy: 503,
} as const;

export type AgentErrorCode = keyof typeof AGENT_ERRORS;

export const isAgentErrorCode = (code: unknown): code is AgentErrorCode =>
  typeof code === 'string' && Object.hasOwn(AGENT_ERRORS, code);
