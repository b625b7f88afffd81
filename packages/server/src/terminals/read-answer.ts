import { asAppError } from '../platform/errors.ts';
import type { Flow, ResponseReceiver } from '../terms/transport.ts';

type Headers = Record<string, string | string[] | undefined>;

/** A list of a server's terminals is a few kilobytes, bytes. */
const MOST = 1024 * 1024;

/** An answer as it came, or as it is to be. */
export interface ReadAnswer {
  readonly status: number;
  /** What its body says, where that is JSON; else undefined. */
  readonly body: unknown;
}

/**
 * Takes the whole of a small answer before the client gets it.
 * @param then what has to be done first; what it returns is sent in the body's place, undefined sends it as it came. What it throws is the
 *   client's answer.
 */
export function readAnswer(
  to: ResponseReceiver,
  then: (answer: ReadAnswer) => Promise<unknown>,
): ResponseReceiver {
  const chunks: Buffer[] = [];
  let size = 0;
  let status = 0;
  let headers: Headers = {};
  let flow: Flow | null = null;
  let over = false;

  async function finish(trailers: Headers): Promise<void> {
    const whole = Buffer.concat(chunks);
    const said = await then({ status, body: parsed(whole) });
    if (said === undefined) {
      to.head(status, headers);
      if (whole.length > 0) to.data(whole);
      to.end(trailers);
      return;
    }
    const text = Buffer.from(JSON.stringify(said));
    const { 'content-length': _length, 'transfer-encoding': _coding, etag: _etag, ...rest } = headers;
    to.head(status, { ...rest, 'content-type': 'application/json', 'content-length': `${text.length}` });
    to.data(text);
    to.end({});
  }

  return {
    begin(given) {
      flow = given;
      return to.begin({
        pause: () => given.pause(),
        resume: () => given.resume(),
        abort(reason) {
          over = true;
          given.abort(reason);
        },
      });
    },
    head(given, values) {
      status = given;
      headers = values;
      // A refusal of the credential is looked at by who sends it, before anything else is.
      if (status === 401) to.head(status, headers);
    },
    data(chunk) {
      if (status === 401) return to.data(chunk);
      size += chunk.length;
      if (size > MOST) flow!.abort(new Error('the server answered with more than 1 MiB'));
      else chunks.push(chunk);
    },
    end(trailers) {
      if (status === 401) to.end(trailers);
      else
        void finish(trailers).catch((error: unknown) => {
          if (!over) to.error(asAppError(error));
        });
    },
    error: error => to.error(error),
  };
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
