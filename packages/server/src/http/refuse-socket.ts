import type { Socket } from 'node:net';
import { type AppError, AppError as Refusal } from '../platform/errors.ts';
import { problem } from './answers.ts';

/** What node:http's parser does not take, as errors of ours. */
const PARSER_REFUSALS: Record<string, AppError> = {
  HPE_HEADER_OVERFLOW: new Refusal('headers_too_large', 'The headers are larger than this gateway takes.'),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new Refusal('body_too_large', 'The body has too many chunk extensions.'),
  ERR_HTTP_REQUEST_TIMEOUT: new Refusal('request_timeout', 'The request came too slowly.'),
};
const NO_HTTP = new Refusal('bad_request', 'The request cannot be read.');

/** @param code of the parser's error */
export const parserRefusal = (code: string | undefined): AppError => PARSER_REFUSALS[code ?? ''] ?? NO_HTTP;

/** Answers on a connection that is no longer, or not yet, an exchange of node:http, and ends it. */
export function refuseSocket(socket: Socket, error: AppError): void {
  const body = problem(error);
  const text = JSON.stringify(body);
  const headers = {
    ...error.headers,
    'content-type': 'application/problem+json',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    connection: error.headers['connection'] ?? 'close',
  };
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  // node:http has let go of the socket, its listener for errors included.
  socket.on('error', () => socket.destroy());
  socket.end(`HTTP/1.1 ${error.status} ${body['title']}\r\n${head.join('')}\r\n${text}`, () =>
    socket.destroy(),
  );
}
