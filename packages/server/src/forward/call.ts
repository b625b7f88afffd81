import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Call as AnyCall } from '../terms/journey.ts';
import { InboundBody } from './inbound-body.ts';
import { splitTarget } from './path.ts';

/** One request on its way through the gateway, as `http` hands it over. */
export interface Call extends AnyCall {
  readonly body: InboundBody;
}

/** @param proceed sends `100 Continue`, for a client that waits for it before it sends its body */
export function startCall(
  req: IncomingMessage,
  res: ServerResponse,
  about: { requestId: string; startedAt: number; proceed: () => void },
): Call {
  return {
    req,
    res,
    requestId: about.requestId,
    startedAt: about.startedAt,
    ...splitTarget(req.url!),
    body: new InboundBody(req, about.proceed),
    headers: req.headers,
    rawHeaders: req.rawHeaders,
    remoteAddress: req.socket.remoteAddress,
  };
}
