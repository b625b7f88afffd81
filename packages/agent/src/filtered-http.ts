import type { IncomingMessage } from 'node:http';
import type { Fields } from '@sallyport/protocol/http2/fields.ts';
import { LINE_BYTES } from '@sallyport/protocol/limits.ts';
import type { ToolFilter } from './tool-filter.ts';

/** Of a body that is written anew. */
export function withoutLength({ 'content-length': _length, ...headers }: Fields): Fields {
  return headers;
}

/** Of a request whose body was read as UTF-8: the server is not to read it as anything else. */
export function asRead(headers: Fields): Fields {
  const { 'content-type': type, 'content-encoding': _coding, ...rest } = withoutLength(headers);
  const plain = type === undefined ? {} : { 'content-type': String(type).split(';', 1)[0]! };
  return { ...rest, ...plain, 'accept-encoding': 'identity' };
}

/** An MCP server's answer, message by message, each as the filter leaves it. @throws Error where it breaks off, or is too long */
export async function* filtered(response: IncomingMessage, filter: ToolFilter): AsyncGenerator<string> {
  response.setEncoding('utf8');
  const events = response.headers['content-type']?.startsWith('text/event-stream') === true;
  let text = '';
  for await (const piece of response as AsyncIterable<string>) {
    text += piece;
    if (text.length > LINE_BYTES) throw new Error('a message is too long');
    if (!events) continue;
    // A line ends with CR, LF or both (WHATWG HTML, section 9.2.6); a CR at the end may be half of both.
    text = text.replaceAll(/\r\n|\r(?=[^\n])/g, '\n');
    for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
      yield `${eventOf(text.slice(0, at), filter)}\n\n`;
      text = text.slice(at + 2);
    }
  }
  // An event without its end is none (section 9.2.6).
  if (!events) yield filter.up(text);
}

/** An event's data may be cut into several lines (WHATWG HTML, section 9.2.6). */
function eventOf(event: string, filter: ToolFilter): string {
  const lines = event.split('\n');
  const data = lines.filter(line => line.startsWith('data:')).map(line => line.slice(5).replace(/^ /, ''));
  if (data.length === 0) return event;
  const rest = lines.filter(line => !line.startsWith('data:'));
  return [...rest, `data: ${filter.up(data.join('\n'))}`].join('\n');
}
