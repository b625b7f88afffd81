import { asAppError } from '../../platform/errors.ts';
import type { Call } from '../../terms/journey.ts';
import type { Transport } from '../../terms/transport.ts';
import { breakOff } from '../answer.ts';
import { encodeHeader } from '../header-value.ts';
import { isObject, isRequest, metaOf, type Request } from '../json-rpc.ts';
import { checkModern } from '../modern-request.ts';
import { PassedResponse } from '../passed-response.ts';
import { META } from '../protocol.ts';
import { readMessages, wholeBody } from '../read-message.ts';
import { withoutTasks } from '../tasks.ts';
import { asOwn, resultOf } from './renaming.ts';
import type { Target } from './targets.ts';

/** The call as it would have come to the server's own endpoint. */
export const asOwnCall = (call: Call, { own }: Target): Call => ({
  ...call,
  headers: { ...call.headers, 'mcp-name': headerOf(own) },
});

/**
 * A modern request whose `Mcp-Name` says which of the servers it is for: header and body are made that server's own, together, and what comes back names
 * its resources as the joined endpoint does.
 * @param call as it came
 * @param way the server's own endpoint
 */
export const oneOfMany = (call: Call, { own, upstream }: Target, way: Transport): Transport => ({
  send(request, receiver) {
    const send = async () => {
      const [message] = readMessages(await wholeBody(request.body), false);
      checkModern(call.headers, message);
      const sent = isRequest(message) ? taskless(asOwn(message, own)) : message;
      const headers = request.headers.map((text, at) =>
        at % 2 === 1 && request.headers[at - 1] === 'mcp-name' ? headerOf(own) : text,
      );
      const map = (answer: unknown) =>
        isRequest(message) && isObject(answer) && isObject(answer['result'])
          ? { ...answer, result: resultOf(upstream, message.method, answer['result']) }
          : answer;
      way.send(
        { ...request, headers, body: Buffer.from(JSON.stringify(sent)) },
        new PassedResponse(receiver, { map }),
      );
    };
    send().catch((error: unknown) => breakOff(receiver, asAppError(error)));
  },
});

const headerOf = (own: Target['own']): string => encodeHeader('uri' in own ? own.uri : own.name);

/** A server's tasks are not to be had under one name for all: it is not to make any. */
function taskless(request: Request): Request {
  const meta = metaOf(request.params);
  const declared = meta[META.capabilities];
  if (!isObject(declared)) return request;
  const _meta = { ...meta, [META.capabilities]: withoutTasks(declared) };
  return { ...request, params: { ...request.params, _meta } };
}
