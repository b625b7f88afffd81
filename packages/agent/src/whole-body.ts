import type { ServerStream } from '@sallyport/protocol/http2/server-stream.ts';

/**
 * Reads a request's body whole.
 * @param most bytes
 * @returns null when it is longer, or was broken off; what comes after it is told to nobody until the call is accepted anew
 */
export function wholeBody(call: ServerStream, most: number): Promise<string | null> {
  const { promise, resolve } = Promise.withResolvers<string | null>();
  const pieces: Buffer[] = [];
  let length = 0;
  call.accept({
    data(piece) {
      length += piece.length;
      if (length <= most) pieces.push(piece);
      else resolve(null);
    },
    end: () => resolve(length <= most ? Buffer.concat(pieces).toString('utf8') : null),
    broken: () => resolve(null),
    drained() {},
  });
  call.resume();
  return promise;
}
