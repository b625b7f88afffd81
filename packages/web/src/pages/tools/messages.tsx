import { Takeaway } from '../../design/copy.tsx';
import { Stamp } from '../../design/time.tsx';
import { type Exchanged, isObject, type JsonObject } from './mcp-client.ts';
import { textOf } from './message-text.ts';

/** What went to the server and came back, the newest first; each opens to the whole message. */
export function Messages({
  messages,
}: {
  messages: readonly (Exchanged & { readonly at: number; n: number })[];
}) {
  return (
    <ol className="messages">
      {messages.map(({ n, way, at, message }) => (
        <li key={n}>
          <details className="message">
            <summary>
              <Stamp at={new Date(at).toISOString()} />
              <span className={`message-way ${way}`}>{way === 'sent' ? 'to it' : 'from it'}</span>
              <strong>{inShort(message)}</strong>
            </summary>
            <Takeaway text={textOf(message)} what={`message ${n}`} />
          </details>
        </li>
      ))}
    </ol>
  );
}

/** `tools/call echo`, `result of 3`, `error of 3`. */
function inShort({ id, method, params, error }: JsonObject): string {
  if (typeof method === 'string') {
    const name = isObject(params) && typeof params['name'] === 'string' ? ` ${params['name']}` : '';
    return `${method}${name}${id === undefined ? '' : ` (${id})`}`;
  }
  return `${error === undefined ? 'result' : 'error'} of ${id ?? 'something'}`;
}
