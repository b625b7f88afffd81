import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { AppError, asAppError } from '../platform/errors.ts';
import type { Logger } from '../platform/log.ts';
import { onBehalfOf } from '../platform/on-behalf-of.ts';
import { logFailure } from './answers.ts';
import { refuseSocket } from './refuse-socket.ts';
import { refuseAmbiguousHead, refuseManyHeaders } from './request-head.ts';

/** A request to go on as a WebSocket. */
export interface UpgradeRequest {
  readonly req: IncomingMessage;
  readonly socket: Socket;
  /** What came behind the request's head already. */
  readonly head: Buffer;
  readonly requestId: string;
}

/** WebSockets by prefix of their path. */
export interface UpgradeRoute {
  readonly prefix: string;
  /**
   * Authenticates, and only then accepts (rule 1). @throws AppError, synchronously or as a rejection, with nothing written yet: the socket is
   * answered with it
   */
  upgrade(request: UpgradeRequest): void | Promise<void>;
}

const NO_WEBSOCKET = new AppError('upgrade_refused', 'There is no WebSocket at this path.', {
  headers: { upgrade: 'HTTP/1.1', connection: 'Upgrade, close' },
});

/** Hands each upgrade to the route of its path, or refuses it. */
export function createUpgrades(deps: {
  routes: readonly UpgradeRoute[];
  guardHost(host: string | undefined): void;
  requestId(headers: IncomingHttpHeaders): string;
  headerCount: number;
  log: Logger;
}): (req: IncomingMessage, socket: Socket, head: Buffer, refusal: AppError | null) => void {
  const routes = deps.routes.toSorted((a, b) => b.prefix.length - a.prefix.length);

  return (req, socket, head, refusal) => {
    const requestId = deps.requestId(req.headers);
    // node:http has let go of it.
    const onError = () => socket.destroy();
    socket.on('error', onError);
    const refuse = (thrown: unknown) => {
      const error = asAppError(thrown);
      logFailure(deps.log, requestId, error);
      refuseSocket(socket, error);
    };
    const path = req.url!.split('?', 1)[0]!;
    const route = routes.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
    onBehalfOf(requestId, () => {
      try {
        refuseManyHeaders(req, deps.headerCount);
        refuseAmbiguousHead(req);
        if (refusal !== null) throw refusal;
        if (route === undefined) throw NO_WEBSOCKET;
        deps.guardHost(req.headers.host);
        const accepting = route.upgrade({ req, socket, head, requestId });
        if (accepting instanceof Promise) accepting.catch(refuse);
      } catch (error) {
        refuse(error);
      }
    });
  };
}
