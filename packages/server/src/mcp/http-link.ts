import { AppError } from '../platform/errors.ts';
import { PassingMap, PassingSet } from '../platform/passing.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { BackHttp } from './back-http.ts';
import { Ending } from './ending.ts';
import { type Id, isRequest, isResponse, type Message } from './json-rpc.ts';
import type { Link, LinkListener } from './link.ts';

/** Between two tries to have a stream back, milliseconds, where the server says nothing else. */
const PAUSE = 1_000;
/** How often in a row, without anything having come. */
const TRIES = 5;

/** Streamable HTTP as legacy servers speak it (2025-11-25, Transports): a session, a stream for each request, and one of the server's own. */
export function openHttpLink(
  deps: { back: BackHttp; runtime: Pick<Runtime, 'sleep'>; who: Principal; to: Upstream },
  listener: LinkListener,
): Link {
  const { back, runtime, who, to } = deps;
  const open = new PassingMap<Id, Ending>();
  /** All that is under way, each with an end of its own. */
  const underWay = new PassingSet<Ending>();
  const all = new AbortController();
  let session: string | null = null;
  let version: string | null = null;

  /** The same for each message, until the server has given a session or a version. */
  let ofPosts: Record<string, string> | null = null;

  const headers = (more: Record<string, string> = {}): Record<string, string> => ({
    accept: 'application/json, text/event-stream',
    ...(session === null ? {} : { 'mcp-session-id': session }),
    ...(version === null ? {} : { 'mcp-protocol-version': version }),
    ...more,
  });

  const headersOfPosts = () => (ofPosts ??= headers({ 'content-type': 'application/json' }));

  function endAll(): void {
    all.abort();
    for (const one of underWay) one.abort();
  }

  function close(error: Error): void {
    if (all.signal.aborted) return;
    endAll();
    listener.closed(error);
  }

  function post(message: Message): void {
    const about = isRequest(message) ? message.id : null;
    const over = new Ending();
    if (all.signal.aborted) over.abort();
    underWay.add(over);
    if (about !== null) open.set(about, over);
    let last: string | undefined;
    let answered = false;
    let refused = false;
    back.send(
      who,
      to,
      { method: 'POST', headers: headersOfPosts(), body: message },
      {
        head(status, given) {
          // Whatever its body says: the session is not there, and so the message was not acted upon.
          refused = status === 404 && session !== null;
          const id = given['mcp-session-id'];
          if (session === null && status === 200 && typeof id === 'string') {
            session = id;
            ofPosts = null;
          }
        },
        message(one, eventId) {
          if (refused) return;
          if (eventId !== undefined) last = eventId;
          // An error about the message as a whole names no request.
          const own = isResponse(one) && about !== null && (one.id === about || one.id === null);
          if (own) {
            if (answered) return;
            answered = true;
            open.delete(about);
          }
          listener.message(own ? { ...one, id: about } : one, about);
        },
        end(problem, status) {
          const goesOn = !refused && about !== null && !answered && open.has(about);
          if (goesOn && last !== undefined && problem === null) {
            void resume(about, last, over);
            return;
          }
          underWay.delete(over);
          if (refused) {
            if (about !== null && !answered && open.delete(about))
              listener.lost(about, lostSession(to), true);
            close(lostSession(to));
            return;
          }
          if (!goesOn) return;
          open.delete(about);
          listener.lost(
            about,
            problem ??
              new AppError(
                'upstream_failed',
                `The upstream ${to.id} answered ${status}, and not to the request.`,
              ),
            false,
          );
        },
      },
      over,
    );
  }

  /** A server may end a stream before it has answered, and go on with it when asked (2025-11-25, "Resumability and Redelivery"). */
  async function resume(about: Id, from: string, over: Ending): Promise<void> {
    let last = from;
    for (let tries = 0; tries < TRIES && open.has(about) && !over.aborted; tries++) {
      await runtime.sleep(PAUSE, over.signal).catch(() => {});
      const ended = await stream({ 'last-event-id': last }, about, over, id => {
        last = id;
        tries = 0;
      });
      if (ended !== 200) break;
    }
    underWay.delete(over);
    if (open.delete(about))
      listener.lost(
        about,
        new AppError('upstream_failed', `The upstream ${to.id} broke off before it answered.`),
        false,
      );
  }

  /** @returns the status that it ended with */
  function stream(
    more: Record<string, string>,
    about: Id | null,
    over: Ending,
    seen: (eventId: string) => void,
  ): Promise<number> {
    return new Promise(resolve => {
      back.send(
        who,
        to,
        { method: 'GET', headers: { ...headers(more), accept: 'text/event-stream' }, body: null },
        {
          message(one, eventId) {
            if (eventId !== undefined) seen(eventId);
            if (isResponse(one) && one.id !== null) open.delete(one.id);
            listener.message(one, about);
          },
          end: (problem, status) => resolve(problem === null ? status : 0),
        },
        over,
      );
    });
  }

  /** The server's own stream, for as long as the session lasts; many servers have none. */
  async function listen(): Promise<void> {
    let last: string | null = null;
    const over = new Ending();
    underWay.add(over);
    for (let tries = 0; tries < TRIES && !all.signal.aborted; tries++) {
      const status = await stream(last === null ? {} : { 'last-event-id': last }, null, over, id => {
        last = id;
        tries = 0;
      });
      if (status === 404 && session !== null) close(lostSession(to));
      if (status >= 400) break;
      await runtime.sleep(PAUSE, all.signal).catch(() => {});
    }
    underWay.delete(over);
  }

  return {
    send: post,
    drop(id) {
      open.get(id)?.abort();
      open.delete(id);
    },
    begun(negotiated) {
      version = negotiated;
      ofPosts = null;
      void listen();
    },
    close() {
      if (all.signal.aborted) return;
      endAll();
      if (session === null) return;
      back.send(who, to, { method: 'DELETE', headers: headers(), body: null }, { message() {}, end() {} });
    },
  };
}

const lostSession = ({ id }: Upstream) =>
  new AppError('upstream_failed', `The upstream ${id} ended the session.`);
