import { PassingMap } from '../platform/passing.ts';
import type { MessageLine, MessageLineEvents, PlainLine } from '../terms/message-line.ts';
import type { Tally } from './tally.ts';

/** A line whose traffic is counted: a request of ours is a call until its answer is here, or nobody waits for it. */
export function countedLine(
  open: (events: MessageLineEvents) => PlainLine,
  events: MessageLineEvents,
  tally: Tally,
): MessageLine {
  const asked = new PassingMap<string | number, number>();
  let over = false;

  const line = open({
    message(text) {
      tally.received(text.length);
      events.message(text);
    },
    closed(error) {
      over = true;
      if (error !== null) tally.failed(error);
      for (const _ of asked.keys()) tally.left();
      asked.clear();
      events.closed(error);
    },
  });

  return {
    send(message, asks) {
      if (over) return;
      line.send(message);
      if (asks !== undefined) asked.set(asks, tally.begin());
      tally.sent(message.length);
    },
    settled(asks, answered) {
      const begun = asked.get(asks);
      if (begun === undefined) return;
      asked.delete(asks);
      if (answered) tally.finished(begun);
      tally.left();
    },
    pause: () => line.pause(),
    resume: () => line.resume(),
    close: () => line.close(),
  };
}
