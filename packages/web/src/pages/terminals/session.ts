import { createFeed } from './feed.ts';
import { onLook } from './look.ts';
import { piecesOf, sendPaste, typedText } from './paste.ts';
import { createScreen, type Screen } from './screen.ts';
import { lookAt, pathOfTerminal } from './terminal-api.ts';
import { createLink, type LinkState, type Mode } from './terminal-link.ts';
import { controlOf } from './touch-keys.ts';
import { sizeWords, titleWords } from './words.ts';

/** What the page shows of a terminal besides its screen. */
export interface SessionView {
  readonly state: LinkState;
  /** What the shell calls itself; empty until it says so. */
  readonly title: string;
  readonly size: string;
  readonly pasting: { readonly sent: number; readonly of: number } | null;
  /** Where the link under the pointer leads. */
  readonly address: string | null;
  /** The next key is pressed together with Ctrl (on a phone, which has no such key). */
  readonly ctrl: boolean;
}

const SETTLED = 80;
/** Answers of a terminal to queries: attributes, cursor position, modes, settings, colours. No key types these. */
const ANSWER = /^\x1b(?:\[[?>=]?[\d;]*(?:[cnR]|\$y)|[\]P])/;

const utf8 = new TextEncoder();

/** One terminal of this window: its screen, its connection, and what lies between them. It outlives the page that shows it. */
export function createSession(
  terminal: { upstream: string; id: string },
  options: {
    /** Made by this window just now: nothing of its output was seen, or answered, by anybody. */
    fresh: boolean;
  },
) {
  const listeners = new Set<() => void>();
  let view: SessionView = {
    state: { is: 'connecting' },
    title: '',
    size: '',
    pasting: null,
    address: null,
    ctrl: false,
  };
  let paste: AbortController | null = null;
  let settle: ReturnType<typeof setTimeout> | undefined;
  /** Queries in what was printed before this window came were answered then; a second answer would be typed into the shell. */
  let answering = options.fresh;
  let replayBytes = 0;

  const change = (next: Partial<SessionView>) => {
    view = { ...view, ...next };
    for (const listener of listeners) listener();
  };
  const screen: Screen = createScreen({
    label: 'Terminal input. Control Shift L leaves it.',
    onLink: address => change({ address }),
  });
  const { term } = screen;
  const feed = createFeed({
    write: (bytes, drawn) => term.write(bytes, drawn),
    onFull: full => link.flow(!full),
    unseen: () => document.hidden,
  });
  const { protocol, host } = location;
  const link = createLink({
    url: `${protocol === 'https:' ? 'wss' : 'ws'}://${host}${pathOfTerminal(terminal.upstream, terminal.id)}`,
    open: url => new WebSocket(url, 'sallyport.terminal.v1'),
    look: () => lookAt(terminal.upstream, terminal.id),
    clock: {
      now: () => Date.now(),
      setTimeout: (work, ms) => setTimeout(work, ms),
      clearTimeout: timer => clearTimeout(timer as number),
    },
    random: Math.random,
    onState(state) {
      term.options.disableStdin = state.is !== 'own';
      change({ state });
      if (state.is === 'own') sized();
    },
    onAttached(kept) {
      if (feed.full) link.flow(false);
      replayBytes = answering ? 0 : kept;
      answering = replayBytes === 0;
    },
    onOutput(bytes) {
      feed.push(bytes);
      if (replayBytes <= 0) return;
      replayBytes -= bytes.byteLength;
      if (replayBytes <= 0) feed.after(() => (answering = true));
    },
    onAnew: () => feed.after(() => term.reset()),
    onGap(bytes, again) {
      const words = again ? `${sizeWords(bytes)} of output were not kept` : 'earlier output was not kept';
      // CAN ends an escape sequence that the gap has cut through.
      feed.push(utf8.encode(`\x18\x1b[0m\r\n\x1b[2m[${words}]\x1b[0m\r\n`));
    },
    onSize(cols, rows) {
      term.resize(cols, rows);
      change({ size: `${cols} × ${rows}` });
    },
  });

  /** Fits the screen to its place, and tells the shell; a watcher keeps the size of whoever types. */
  function sized(): void {
    if (view.state.is === 'watching') return;
    const fits = screen.fit();
    if (fits === null) return;
    change({ size: `${fits.cols} × ${fits.rows}` });
    link.resize(fits.cols, fits.rows);
  }
  function sizedSoon(): void {
    clearTimeout(settle);
    settle = setTimeout(sized, SETTLED);
  }

  term.onData(data => {
    if (!answering && ANSWER.test(data)) return;
    const keys = view.ctrl ? controlOf(data) : data;
    if (view.ctrl) change({ ctrl: false });
    link.type(utf8.encode(keys));
  });
  // Mouse reports of the oldest kind are bytes, not text.
  term.onBinary(data => void link.type(Uint8Array.from(data, char => char.charCodeAt(0))));
  term.onTitleChange(title => change({ title: titleWords(title) }));

  const away = () => link.offline();
  const back = () => link.online();
  addEventListener('offline', away);
  addEventListener('online', back);
  const stopLook = onLook(sizedSoon);

  return {
    ...terminal,
    screen,
    view: (): SessionView => view,
    subscribe(listener: () => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    connect: (mode: Mode): void => link.connect(mode),
    /** The keyboard is wanted, and so the focus as well. */
    take(): void {
      link.take();
      term.focus();
    },
    retry(): void {
      link.retry();
      term.focus();
    },
    sizedSoon,
    async mount(place: HTMLElement): Promise<void> {
      await screen.mount(place);
      sized();
    },
    /** Types a text of any length; brackets it where the shell asked for that. */
    async paste(text: string): Promise<boolean> {
      paste?.abort();
      const mine = (paste = new AbortController());
      const typed = typedText(text);
      const { bracketedPasteMode } = term.modes;
      term.scrollToBottom();
      try {
        return await sendPaste({
          pieces: piecesOf(bracketedPasteMode ? `\x1b[200~${typed}\x1b[201~` : typed),
          type: link.type,
          pending: () => link.pending,
          signal: mine.signal,
          onProgress: (sent, of) => of > 65_536 && change({ pasting: { sent, of } }),
        });
      } finally {
        if (paste === mine) change({ pasting: null });
      }
    },
    stopPaste: (): void => paste?.abort(),
    /** A key of the bar on the screen. */
    press(keys: string): void {
      term.input(keys);
    },
    armCtrl: (): void => change({ ctrl: !view.ctrl }),
    dispose(): void {
      removeEventListener('offline', away);
      removeEventListener('online', back);
      stopLook();
      clearTimeout(settle);
      paste?.abort();
      link.close();
      screen.dispose();
    },
  };
}

export type Session = ReturnType<typeof createSession>;
