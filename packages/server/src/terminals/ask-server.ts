import type { ResponseReceiver, Transport } from '../terms/transport.ts';

/** A terminal server answers for one terminal at once or not at all, milliseconds. */
const WITHIN = 10_000;

/** Asks a terminal server something whose answer's status says it all. @throws what the transport failed with */
export function askServer(
  way: Transport,
  request: { method: 'GET' | 'DELETE'; path: string; headers: string[] },
): Promise<number> {
  return new Promise((resolve, reject) => {
    let status = 0;
    let size = 0;
    const receiver: ResponseReceiver = {
      begin(flow) {
        receiver.data = chunk => {
          size += chunk.length;
          // Read to its end, so that the connection can be used again; unless it has none.
          if (size > 64 * 1024) flow.abort(new Error('the answer is not waited for'));
        };
        return true;
      },
      head: given => void (status = given),
      data: () => {},
      end: () => resolve(status),
      error: error => (status === 0 ? reject(error) : resolve(status)),
    };
    way.send({ ...request, body: null, headersTimeout: WITHIN }, receiver);
  });
}
