import type { ServerHttp2Stream } from 'node:http2';
import { AGENT_ERROR, AGENT_ERRORS, type AgentErrorCode } from '@sallyport/protocol/agent-error.ts';

/** Answers a call that no local server answers. */
export function answerError(stream: ServerHttp2Stream, code: AgentErrorCode): void {
  if (stream.destroyed || stream.headersSent) {
    stream.destroy(new Error(code));
    return;
  }
  stream.respond({ ':status': AGENT_ERRORS[code], [AGENT_ERROR]: code }, { endStream: true });
  drop(stream);
}

export function answerJson(stream: ServerHttp2Stream, body: unknown): void {
  stream.respond({ ':status': 200, 'content-type': 'application/json' });
  stream.end(JSON.stringify(body));
  drop(stream);
}

/** What still comes of the request is read, so that the stream can end. */
function drop(stream: ServerHttp2Stream): void {
  stream.on('error', () => {});
  stream.resume();
}
