import { AppError } from '../platform/errors.ts';
import type { MessageLine, MessageLineEvents } from '../terms/message-line.ts';
import { asMessage, isRequest, isResponse, type Message, parseJson } from './json-rpc.ts';
import type { Link, LinkListener } from './link.ts';

/** A legacy server that speaks in lines: one channel for everything, on which nothing says what a question belongs to. */
export function openLinesLink(
  open: (events: MessageLineEvents) => MessageLine,
  listener: LinkListener,
): Link {
  let line: MessageLine | null = null;
  let over = false;
  const close = (error: AppError) => {
    if (over) return;
    over = true;
    listener.closed(error);
  };
  const events: MessageLineEvents = {
    message(text) {
      const value = parseJson(text);
      // Revision 2025-03-26 let servers answer with several at once.
      for (const one of Array.isArray(value) ? value : [value]) {
        const message = asMessage(one);
        // What is no message is a program's careless printing.
        if (message === null || over) continue;
        if (isResponse(message) && message.id !== null) line?.settled(message.id, true);
        listener.message(message, null);
      }
    },
    closed: error => close(error ?? new AppError('upstream_failed', 'The session at the server is over.')),
  };
  try {
    line = open(events);
  } catch (error) {
    queueMicrotask(() => close(error as AppError));
  }

  return {
    send(message: Message) {
      if (over) return;
      try {
        line?.send(JSON.stringify(message), isRequest(message) ? message.id : undefined);
      } catch (error) {
        // Not `unsent`, which would have it tried again: what does not read now does not read in a moment.
        if (isRequest(message)) queueMicrotask(() => listener.lost(message.id, error as Error, false));
      }
    },
    drop: id => line?.settled(id, false),
    begun() {},
    close() {
      over = true;
      line?.close();
    },
  };
}
