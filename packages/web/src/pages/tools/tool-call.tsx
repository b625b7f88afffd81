import { useEffect, useRef, useState } from 'react';
import { Button } from '../../design/button.tsx';
import { duration } from '../tunnels/figures.ts';
import { Asked } from './asked.tsx';
import { type Exchanged, isObject, type JsonObject, type McpClient, McpError } from './mcp-client.ts';
import { Messages } from './messages.tsx';
import { paramHeaders } from './param-headers.ts';
import { ToolForm } from './tool-form.tsx';
import { CallFailed, ToolResult } from './tool-result.tsx';
import type { Tool } from './tools.ts';

/** Of one call, on show. */
const KEPT_MESSAGES = 100;

type Outcome =
  | { readonly is: 'result'; readonly result: JsonObject; readonly took: number }
  | { readonly is: 'asks'; readonly result: JsonObject; readonly params: JsonObject }
  | { readonly is: 'failed'; readonly error: McpError };

/** The form of a tool, and what came of calling it. */
export function ToolCall({ tool, client }: { tool: Tool; client: McpClient }) {
  const [outcome, setOutcome] = useState<Outcome | null>(null);
  const [messages, setMessages] = useState<readonly Exchanged[]>([]);
  const heard = messages
    .map(({ way, message }) => (way === 'received' ? progressIn(message) : null))
    .find(Boolean);
  const [running, setRunning] = useState<AbortController | null>(null);
  const last = useRef<AbortController | null>(null);
  useEffect(() => () => last.current?.abort(), []);

  const call = async (params: JsonObject) => {
    const stop = new AbortController();
    last.current = stop;
    setRunning(stop);
    setOutcome(null);
    setMessages([]);
    const began = performance.now();
    try {
      const result = await client.request('tools/call', params, {
        signal: stop.signal,
        headers: paramHeaders(tool.inputSchema, params['arguments']),
        exchanged: message => setMessages(before => [message, ...before].slice(0, KEPT_MESSAGES)),
      });
      const asks = result['resultType'] === 'input_required';
      setOutcome(
        asks ? { is: 'asks', result, params } : { is: 'result', result, took: performance.now() - began },
      );
    } catch (error) {
      if (!stop.signal.aborted) setOutcome({ is: 'failed', error: asMcpError(error) });
    } finally {
      if (last.current === stop) setRunning(null);
    }
  };

  return (
    <div className="tool-call">
      <ToolForm
        schema={tool.inputSchema}
        onSubmit={args => running === null && void call({ name: tool.name, arguments: args })}
      >
        <div className="page-actions">
          <Button look="solid" type="submit" busy={running !== null}>
            {running === null ? 'Call it' : 'Calling…'}
          </Button>
          {running !== null && <Button onClick={() => running.abort()}>Stop</Button>}
        </div>
      </ToolForm>
      <div role="status">
        {running !== null && heard !== undefined && <p className="small muted">{heard}</p>}
        {outcome?.is === 'result' && (
          <>
            <ToolResult result={outcome.result} />
            <p className="small muted tool-took">It took {duration(outcome.took)}.</p>
          </>
        )}
        {outcome?.is === 'failed' && <CallFailed error={outcome.error} />}
      </div>
      {messages.length > 0 && (
        <details className="use">
          <summary>Messages of this call ({messages.length})</summary>
          <Messages messages={messages} />
        </details>
      )}
      {outcome?.is === 'asks' && (
        <Asked
          result={outcome.result}
          onAnswer={(inputResponses, requestState) =>
            void call({
              ...outcome.params,
              inputResponses,
              ...(requestState !== undefined && { requestState }),
            })
          }
        />
      )}
    </div>
  );
}

/** `Step 2 of 5: unpacking`, of a progress notification; the text of a log message. */
function progressIn({ params }: JsonObject): string | null {
  if (!isObject(params)) return null;
  if (typeof params['progress'] === 'number') {
    const { progress, total, message } = params;
    const of = typeof total === 'number' ? ` of ${total}` : '';
    return `Step ${progress}${of}${typeof message === 'string' ? `: ${message}` : ''}`;
  }
  return params['data'] === undefined ? null : String(params['data']);
}

const asMcpError = (error: unknown): McpError =>
  error instanceof McpError ? error : new McpError('The gateway did not answer, or the line broke off.');
