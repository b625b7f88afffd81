import type { Http2Client } from '@sallyport/protocol/http2/client.ts';
import type { ClientStream, StreamTaker } from '@sallyport/protocol/http2/client-stream.ts';
import { CODE, Http2Error } from '@sallyport/protocol/http2/codes.ts';
import { DOCUMENT_BYTES } from '@sallyport/protocol/limits.ts';

export interface AnsweredDocument {
  readonly status: number;
  readonly text: string;
}

/**
 * Asks the agent itself something, apart from all calls.
 * @param body null for none
 * @returns what it answers; rejects where that breaks off, or is longer than a document may be
 */
export function askAgent(
  client: Http2Client,
  headers: readonly string[],
  body: string | null,
  signal?: AbortSignal,
): Promise<AnsweredDocument> {
  const { promise, resolve, reject } = Promise.withResolvers<AnsweredDocument>();
  const pieces: Buffer[] = [];
  let status = 0;
  let length = 0;
  let stream: ClientStream;

  const taker: StreamTaker = {
    head(given) {
      status = given;
    },
    data(chunk) {
      length += chunk.length;
      pieces.push(chunk);
      if (length <= DOCUMENT_BYTES) return;
      stream.reset(CODE.CANCEL);
      reject(new Http2Error(CODE.CANCEL, 'it is too long'));
    },
    end: () => resolve({ status, text: Buffer.concat(pieces).toString('utf8') }),
    broken: reject,
    drained() {},
  };
  try {
    stream = client.request(headers, taker, body === null);
  } catch (error) {
    reject(error);
    return promise;
  }
  signal?.addEventListener('abort', () => stream.reset(CODE.CANCEL), { once: true });
  if (body !== null) stream.end(Buffer.from(body));
  return promise;
}
