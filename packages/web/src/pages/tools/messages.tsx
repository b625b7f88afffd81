import { useState } from 'react';
import { Takeaway } from '../../design/copy.tsx';
import { Stamp } from '../../design/time.tsx';
import { type Exchanged, isObject, type JsonObject } from './mcp-client.ts';
import { textOf } from './message-text.ts';

/** What went to the server and came back, the newest first; each opens to the whole message. */
export function Messages({ messages }: { messages: readonly Exchanged[] }) {
  return (
    <ol className="messages">
      {messages.map(message => (
        <li key={message.n}>
          <Line of={message} />
        </li>
      ))}
    </ol>
  );
}

function Line({ of: { n, way, at, message } }: { of: Exchanged }) {
  const [opened, setOpened] = useState(false);
  return (
    <details className="message" onToggle={event => event.currentTarget.open && setOpened(true)}>
      <summary>
        <Stamp at={new Date(at).toISOString()} />
        <span className={`message-way ${way}`}>{way === 'sent' ? 'to it' : 'from it'}</span>
        <strong>{inShort(message)}</strong>
      </summary>
      {opened && <Takeaway text={textOf(message)} what={`message ${n}`} />}
    </details>
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
