/** What one terminal's connection is doing. */
export type LinkState =
  | { readonly is: 'connecting' }
  /** This window has the keyboard. */
  | { readonly is: 'own' }
  /** `taken`: another window took the keyboard from this one; otherwise watching was chosen. */
  | { readonly is: 'watching'; readonly taken: boolean }
  /** `until`: when the next attempt begins, by the clock; null while it waits for something else. */
  | { readonly is: 'waiting'; readonly why: Why; readonly until: number | null }
  | { readonly is: 'ended'; readonly how: Ending; readonly said: string };

export type Why = 'lost' | 'restarting' | 'offline';
/** `exited`: the shell ended. `gone`: it cannot be reached any more. `limit`: idle or open for too long. */
export type Ending = 'exited' | 'gone' | 'refused' | 'limit' | 'signed-out';

export type Mode = 'take' | 'watch';

/** What a link needs of a WebSocket. */
export type LinkSocket = Pick<
  WebSocket,
  'send' | 'close' | 'bufferedAmount' | 'binaryType' | 'onopen' | 'onmessage' | 'onclose' | 'readyState'
>;

export interface LinkDeps {
  /** The terminal's WebSocket, without a query. */
  readonly url: string;
  readonly open: (url: string) => LinkSocket;
  /** Status of a plain look at the terminal, 0 without an answer: a page is not told why a handshake failed. */
  readonly look: () => Promise<number>;
  readonly clock: Clock;
  /** 0 to 1, spreads the attempts of many windows. */
  readonly random: () => number;
  readonly onState: (state: LinkState) => void;
  /** Attached, for the first time or again. @param kept so many bytes come now that were printed before, and may have been seen by others */
  readonly onAttached: (kept: number) => void;
  readonly onOutput: (bytes: Uint8Array) => void;
  /** So many bytes of output are gone for good. `again` is false where the terminal is seen for the first time. */
  readonly onGap: (bytes: number, again: boolean) => void;
  /** The same terminal, and yet another shell: its count of output began anew. */
  readonly onAnew: () => void;
  /** The size that another window has given to the terminal. */
  readonly onSize: (cols: number, rows: number) => void;
}

export interface Clock {
  now(): number;
  setTimeout(work: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** Close codes after which there is nothing to come back to, and what to say where the gateway gives no reason. */
const ENDINGS: Record<number, { how: Ending; said: string }> = {
  1000: { how: 'exited', said: 'The shell has ended.' },
  1011: { how: 'gone', said: 'The terminal server is gone.' },
  4003: { how: 'refused', said: 'You may not use this terminal any more.' },
  4004: { how: 'gone', said: 'This terminal is no longer there.' },
  4009: { how: 'refused', said: 'Too many windows show this terminal.' },
  4008: { how: 'limit', said: 'It was open, or idle, for too long.' },
};
const FIRST_WAIT = 400;
const LONGEST_WAIT = 15_000;
/** A connection that held this long starts the waits anew. */
const HELD = 10_000;

/**
 * The connection of one terminal: it comes back by itself to the same shell, and asks for the output from the byte it has, so
 * that nothing is shown twice and a gap is known. Nothing typed while it is away is sent later: a person could not see what they do.
 */
export function createLink(deps: LinkDeps) {
  const { clock } = deps;
  let state: LinkState = { is: 'connecting' };
  let socket: LinkSocket | null = null;
  let timer: unknown;
  let attempts = 0;
  /** Bytes of output since the terminal began that this window has; null before the first attachment. */
  let have: number | null = null;
  let mode: Mode = 'take';
  let taken = false;
  let openedAt = 0;
  let closed = false;

  function become(next: LinkState): void {
    state = next;
    deps.onState(next);
  }

  function connect(): void {
    clock.clearTimeout(timer);
    if (closed) return;
    become({ is: 'connecting' });
    const query = new URLSearchParams({ mode, ...(have === null ? {} : { from: String(have) }) });
    const mine = deps.open(`${deps.url}?${query}`);
    socket = mine;
    mine.binaryType = 'arraybuffer';
    let opened = false;
    mine.onopen = () => {
      opened = true;
      openedAt = clock.now();
    };
    mine.onmessage = ({ data }) => {
      if (socket !== mine) return;
      if (typeof data === 'string') heard(data);
      else {
        const bytes = new Uint8Array(data as ArrayBuffer);
        have = (have ?? 0) + bytes.byteLength;
        deps.onOutput(bytes);
      }
    };
    mine.onclose = ({ code, reason }) => {
      if (socket !== mine) return;
      socket = null;
      if (state.is === 'ended') return;
      if (opened) shut(code, reason);
      else void unopened();
    };
  }

  function heard(text: string): void {
    const message = parse(text);
    switch (message?.type) {
      case 'attached': {
        const from = message.from ?? 0;
        if (have !== null && from < have) deps.onAnew();
        if ((message.lost ?? 0) > 0) deps.onGap(message.lost!, have !== null);
        have = from;
        const watching = message.mode === 'watch';
        // Whoever watches has the size of whoever types.
        if (watching) sized(message);
        else taken = false;
        become(watching ? { is: 'watching', taken } : { is: 'own' });
        deps.onAttached(Math.max(0, (message.to ?? from) - from));
        break;
      }
      case 'taken':
        mode = 'watch';
        taken = true;
        become({ is: 'watching', taken });
        break;
      case 'size':
        if (state.is === 'watching') sized(message);
        break;
      case 'exit':
        become({ is: 'ended', how: 'exited', said: 'The shell has ended.' });
        break;
    }
  }

  function sized({ cols, rows }: Message): void {
    if (typeof cols === 'number' && typeof rows === 'number') deps.onSize(cols, rows);
  }

  function shut(code: number, reason: string): void {
    if (clock.now() - openedAt > HELD) attempts = 0;
    const ending = ENDINGS[code];
    if (ending !== undefined) become({ is: 'ended', how: ending.how, said: reason || ending.said });
    else if (code === 4001) void unopened(reason);
    else wait(code === 1001 ? 'restarting' : 'lost');
  }

  /** @param refusal what the gateway said of the credential, if it did */
  async function unopened(refusal = ''): Promise<void> {
    const asked = await deps.look();
    if (closed || socket !== null || state.is === 'ended') return;
    if (asked === 401)
      become({ is: 'ended', how: 'signed-out', said: 'You are signed out in this browser.' });
    else if (asked === 403)
      become({ is: 'ended', how: 'refused', said: 'You may not use this terminal any more.' });
    else if (asked === 404)
      become({ is: 'ended', how: 'gone', said: 'This terminal is no longer there: its shell has ended.' });
    else if (refusal !== '') become({ is: 'ended', how: 'refused', said: refusal });
    else wait('lost');
  }

  function wait(why: Why): void {
    const longest = Math.min(FIRST_WAIT * 2 ** attempts++, LONGEST_WAIT);
    const ms = Math.round(longest * (0.75 + deps.random() / 2));
    become({ is: 'waiting', why, until: clock.now() + ms });
    clock.clearTimeout(timer);
    timer = clock.setTimeout(connect, ms);
  }

  /** Lets go of the connection without waiting for the other end, which may be gone. */
  function drop(): void {
    clock.clearTimeout(timer);
    const old = socket;
    socket = null;
    old?.close(1000);
  }

  const link = {
    get state(): LinkState {
      return state;
    },
    /** Bytes on their way up that the network has not taken yet. */
    get pending(): number {
      return socket?.bufferedAmount ?? 0;
    },
    connect(as: Mode): void {
      mode = as;
      drop();
      connect();
    },
    /** @returns whether it went out: only the window with the keyboard types */
    type(bytes: Uint8Array<ArrayBuffer>): boolean {
      if (state.is !== 'own' || socket === null) return false;
      socket.send(bytes);
      return true;
    },
    resize(cols: number, rows: number): void {
      if (state.is === 'own') socket?.send(JSON.stringify({ type: 'resize', cols, rows }));
    },
    /** Asks for the keyboard; the other window becomes the one that watches. */
    take(): void {
      link.connect('take');
    },
    /** Does not wait for the next attempt. */
    retry(): void {
      if (state.is !== 'waiting') return;
      attempts = 0;
      connect();
    },
    /** Asks for no more output, or for more again: a page cannot stop reading by itself. */
    flow(on: boolean): void {
      if (state.is === 'own' || state.is === 'watching')
        socket?.send(JSON.stringify({ type: on ? 'resume' : 'pause' }));
    },
    /** The browser has no network: nothing is to be tried until it has. */
    offline(): void {
      if (state.is === 'ended' || closed) return;
      drop();
      become({ is: 'waiting', why: 'offline', until: null });
    },
    online(): void {
      if (state.is !== 'waiting') return;
      attempts = 0;
      connect();
    },
    close(): void {
      closed = true;
      drop();
    },
  };
  return link;
}

interface Message {
  type?: string;
  mode?: string;
  from?: number;
  /** Number of the byte after the last that was printed before. */
  to?: number;
  lost?: number;
  cols?: number | null;
  rows?: number | null;
}

function parse(text: string): Message | null {
  try {
    return JSON.parse(text) as Message;
  } catch {
    return null;
  }
}
