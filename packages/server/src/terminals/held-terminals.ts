import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Logger } from '../platform/log.ts';
import type { Gauge } from '../platform/metrics.ts';
import type { Runtime } from '../platform/runtime.ts';
import type { Audit } from '../terms/audit.ts';
import type { Principal } from '../terms/principal.ts';
import { TERMINAL_RULES, type TerminalRules, type Upstream } from '../terms/upstream.ts';
import { Attachment } from './attachment.ts';
import { type Closing, EXITED, IDLE, LEFT, noteFailure, TOO_OLD, UNKNOWN } from './closing.ts';
import type { Asked, Servant } from './dial.ts';
import type { EarlyMessage } from './early-messages.ts';
import type { Guest } from './guests.ts';
import type { Record, Recorder } from './recorder.ts';
import type { Terminal, TerminalStore } from './terminal-store.ts';
import { Viewer, type ViewerEvents } from './viewer.ts';

/** Silence after which the other end is asked for a sign of life, and after which it is gone; milliseconds. */
const QUIET = 15_000;
const DEAD = 40_000;
/** Older servers say nothing when a shell ends: one that is silent is asked about, ever more seldom; milliseconds. */
const ASK_AFTER = 2_000;
const ASK_AT_MOST = 30_000;

/** What a client asked for in the URL. */
export interface Wish {
  readonly mode: 'take' | 'watch';
  /** Number of the first byte of the output that it does not have; null: all that is kept. */
  readonly from: number | null;
  /** Whether it understands our texts. */
  readonly speaks: boolean;
}

/** A terminal that is open at its server, here. */
export interface Held {
  readonly upstream: Upstream;
  readonly terminal: Terminal;
  readonly attachment: Attachment;
  /** Who attached last: the same user, by this or another credential. */
  principal: Principal;
  readonly guests: Map<Viewer, Guest>;
}

interface Watched extends Held {
  readonly recorder: Recorder | null;
  asking: boolean;
  askedAt: number;
  /** When the silence that is being asked about began, and until the next question. */
  silentSince: number;
  wait: number;
}

export interface HeldTerminals {
  /** A window more of a terminal, whose first it may be. */
  show(
    socket: WebSocket,
    of: {
      connection: Socket;
      guest: Guest;
      upstream: Upstream;
      terminal: Terminal;
      wish: Wish;
      early: EarlyMessage[];
    },
  ): void;
  list(): readonly Held[];
  find(upstreamId: string, id: string): Held | undefined;
  /** Ends what was idle, old, left or silent for too long. */
  sweep(): void;
  /** Resolves when what was recorded is written. */
  end(closing: Closing): Promise<void>;
}

/** Terminals that are attached in this process, for as long as somebody may come back to them. */
export function createHeldTerminals(deps: {
  servant: Servant;
  store: Pick<TerminalStore, 'remove'>;
  record: Record;
  changed(userId: string): void;
  open: Gauge;
  audit: Audit;
  runtime: Pick<Runtime, 'monotonic'>;
  log: Pick<Logger, 'warn'>;
}): HeldTerminals {
  const { servant, store, audit } = deps;
  const now = () => deps.runtime.monotonic();
  const all = new Map<string, Watched>();
  /** Recordings whose last pieces are being written. */
  const finishing = new Set<Promise<void>>();
  let windows = 0;

  const keyOf = ({ upstreamId, id }: Pick<Terminal, 'upstreamId' | 'id'>) => `${upstreamId}\0${id}`;
  const rulesOf = ({ terminal }: Upstream): TerminalRules => terminal ?? TERMINAL_RULES;
  const ask = ({ principal, upstream, terminal }: Held): Asked => ({ principal, upstream, terminal });

  function hold(upstream: Upstream, terminal: Terminal, { principal, actor }: Guest): Watched {
    const recorder = rulesOf(upstream).record
      ? deps.record(terminal, actor, () => held.attachment.keptUp())
      : null;
    const held: Watched = {
      upstream,
      terminal,
      principal,
      recorder,
      guests: new Map(),
      asking: false,
      askedAt: now(),
      silentSince: now(),
      wait: ASK_AFTER,
      attachment: new Attachment(
        {
          async dial(refused, signal) {
            try {
              return await servant.attach(ask(held), refused, signal);
            } catch (error) {
              noteFailure(deps.log, error, upstream.id);
              throw error;
            }
          },
          output: bytes => recorder?.output(bytes),
          resized: size => recorder?.resized(size),
          behind: () => recorder?.behind ?? false,
          ended(closing) {
            if (recorder !== null) finish(recorder.end());
            if (all.get(keyOf(terminal)) === held) all.delete(keyOf(terminal));
            if (closing === EXITED || closing.code === UNKNOWN.code) forget(terminal);
            else deps.changed(terminal.userId);
          },
        },
        now,
      ),
    };
    all.set(keyOf(terminal), held);
    held.attachment.start();
    return held;
  }

  function finish(writing: Promise<void>): void {
    const done = writing.finally(() => finishing.delete(done));
    finishing.add(done);
  }

  /** It is over at its server as well. What fails is done again by the look for orphans. */
  function forget({ upstreamId, id, userId }: Terminal): void {
    store
      .remove(upstreamId, id)
      .catch(() => {})
      .finally(() => deps.changed(userId));
  }

  function watch(held: Watched): void {
    const { attachment } = held;
    if (!attachment.open || held.asking) return;
    if (attachment.activeAt !== held.silentSince) {
      held.silentSince = attachment.activeAt;
      held.askedAt = attachment.activeAt;
      held.wait = ASK_AFTER;
    }
    if (now() - held.askedAt < held.wait) return;
    held.asking = true;
    servant
      .lives(ask(held))
      .then(lives => {
        if (lives === false) attachment.end(EXITED);
      })
      // Whether the server is there at all is found out on the WebSocket.
      .catch(() => {})
      .finally(() => {
        held.asking = false;
        held.askedAt = now();
        held.wait = Math.min(held.wait * 2, ASK_AT_MOST);
      });
  }

  function lookAt(held: Watched): void {
    const { attachment, upstream } = held;
    const rules = rulesOf(upstream);
    const at = now();
    if (attachment.aloneSince !== null && at - attachment.aloneSince >= rules.reattach) attachment.end(LEFT);
    else if (at - attachment.activeAt >= rules.idle) attachment.end(IDLE);
    else if (at - attachment.startedAt >= rules.lifetime) attachment.end(TOO_OLD);
    else {
      attachment.lookAfter(at, QUIET, DEAD);
      for (const viewer of attachment.viewers) {
        const silence = at - viewer.heardAt;
        if (viewer.paused) continue;
        if (silence > DEAD) viewer.drop();
        else if (silence > QUIET) viewer.ping();
      }
      watch(held);
    }
  }

  return {
    show(socket, { connection, guest, upstream, terminal, wish, early }) {
      const known = all.get(keyOf(terminal));
      const held = known === undefined || known.attachment.over ? hold(upstream, terminal, guest) : known;
      held.principal = guest.principal;
      const { attachment } = held;
      const openedAt = now();
      const events: ViewerEvents = {
        typed: (viewer, bytes) => attachment.typed(viewer, bytes),
        resized: (viewer, size) => attachment.resized(viewer, size),
        wantsKeyboard: viewer => attachment.take(viewer),
        progress: viewer => attachment.progress(viewer),
        left(viewer, code) {
          attachment.left(viewer);
          held.guests.delete(viewer);
          deps.open.set(--windows);
          deps.changed(terminal.userId);
          const detail = {
            terminal: terminal.id,
            code,
            seconds: Math.round((now() - openedAt) / 1_000),
            bytes_up: viewer.bytesUp,
            bytes_down: viewer.bytesDown,
          };
          audit.record({ action: 'terminal.close', ...guest.actor, target: upstream.id, detail });
        },
      };
      const viewer = new Viewer(socket, {
        connection,
        window: attachment.window,
        speaks: wish.speaks,
        from: wish.from,
        events,
        early,
        now,
      });
      held.guests.set(viewer, guest);
      deps.open.set(++windows);
      const detail = { terminal: terminal.id, mode: wish.mode, resumed: held === known };
      audit.record({ action: 'terminal.open', ...guest.actor, target: upstream.id, detail });
      attachment.enter(viewer, wish.mode);
      deps.changed(terminal.userId);
    },

    list: () => [...all.values()],
    find: (upstreamId, id) => all.get(keyOf({ upstreamId, id })),
    sweep() {
      for (const held of all.values()) {
        held.recorder?.flush();
        lookAt(held);
      }
    },
    async end(closing) {
      for (const { attachment } of all.values()) attachment.end(closing);
      await Promise.all(finishing);
    },
  };
}
