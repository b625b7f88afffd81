import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { LINE_BYTES } from '@sallyport/protocol/limits.ts';
import type { ToolFilter } from './tool-filter.ts';

/** Reads a request's body whole. @returns null when it is too long, or broken off */
export async function wholeBody(stream: ServerHttp2Stream): Promise<string | null> {
  const pieces: Buffer[] = [];
  let length = 0;
  try {
    for await (const piece of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > LINE_BYTES) return null;
      pieces.push(piece);
    }
  } catch {
    return null;
  }
  return stream.aborted ? null : Buffer.concat(pieces).toString('utf8');
}

/** Of a body that is written anew. */
export function withoutLength({
  'content-length': _length,
  ...headers
}: IncomingHttpHeaders): IncomingHttpHeaders {
  return headers;
}

/** Of a request whose body was read as UTF-8: the server is not to read it as anything else. */
export function asRead(headers: IncomingHttpHeaders): IncomingHttpHeaders {
  const { 'content-type': type, 'content-encoding': _coding, ...rest } = withoutLength(headers);
  const plain = type === undefined ? {} : { 'content-type': type.split(';', 1)[0]! };
  return { ...rest, ...plain, 'accept-encoding': 'identity' };
}

/** Passes an MCP server's answer on, message by message, each as the filter leaves it. */
export async function passFiltered(
  response: IncomingMessage,
  stream: ServerHttp2Stream,
  filter: ToolFilter,
): Promise<void> {
  response.setEncoding('utf8');
  const events = response.headers['content-type']?.startsWith('text/event-stream') === true;
  let text = '';
  try {
    for await (const piece of response as AsyncIterable<string>) {
      text += piece;
      if (text.length > LINE_BYTES) throw new Error('a message is too long');
      if (!events) continue;
      // A line ends with CR, LF or both (WHATWG HTML, section 9.2.6); a CR at the end may be half of both.
      text = text.replaceAll(/\r\n|\r(?=[^\n])/g, '\n');
      for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
        const taken = stream.write(`${eventOf(text.slice(0, at), filter)}\n\n`);
        text = text.slice(at + 2);
        if (!taken) await once(stream, 'drain');
      }
    }
    // An event without its end is none (section 9.2.6).
    stream.end(events ? '' : filter.up(text));
  } catch (error) {
    stream.destroy(error as Error);
  }
}

/** An event's data may be cut into several lines (WHATWG HTML, section 9.2.6). */
function eventOf(event: string, filter: ToolFilter): string {
  const lines = event.split('\n');
  const data = lines.filter(line => line.startsWith('data:')).map(line => line.slice(5).replace(/^ /, ''));
  if (data.length === 0) return event;
  const rest = lines.filter(line => !line.startsWith('data:'));
  return [...rest, `data: ${filter.up(data.join('\n'))}`].join('\n');
}
