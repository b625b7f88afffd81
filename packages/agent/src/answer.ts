import { AGENT_ERROR, AGENT_ERRORS, type AgentErrorCode } from '@sallyport/protocol/agent-error.ts';
import { CODE } from '@sallyport/protocol/http2/codes.ts';
import type { ServerStream } from '@sallyport/protocol/http2/server-stream.ts';

/** Answers a call that no local server answers; what was answered in part is broken off. */
export function answerError(call: ServerStream, code: AgentErrorCode): void {
  if (call.closed) return;
  if (call.answered) call.reset(CODE.INTERNAL_ERROR);
  else {
    call.respond(AGENT_ERRORS[code], [AGENT_ERROR, code], true);
    call.dismiss();
  }
}

export function answerJson(call: ServerStream, status: number, text: string): void {
  call.respond(status, ['content-type', 'application/json']);
  call.end(Buffer.from(text));
  call.dismiss();
}
