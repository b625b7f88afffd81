import { FitAddon } from '@xterm/addon-fit';
import { SearchAddon } from '@xterm/addon-search';
import { Unicode11Addon } from '@xterm/addon-unicode11';
import { WebLinksAddon } from '@xterm/addon-web-links';
import { WebglAddon } from '@xterm/addon-webgl';
import { Terminal } from '@xterm/xterm';
import '@xterm/xterm/css/xterm.css';
import './screen.css';
import { createLawfulStyles } from './lawful-styles.ts';
import { currentLook, onLook, PALETTES, themeShown } from './look.ts';

const FONT = '"Atkinson Hyperlegible Mono Variable", ui-monospace, "SFMono-Regular", Menlo, monospace';
const FACES = ['15px', 'bold 15px', 'italic 15px'];
const KEPT_LINES = 10_000;

export interface ScreenDeps {
  /** What a screen reader calls it. */
  readonly label: string;
  /** Whether WebGL may draw it; a recording, whose letters shrink to fit, is drawn by the DOM. */
  readonly webgl?: boolean;
  /** A link under the pointer, as an address; null when there is none. */
  readonly onLink: (address: string | null) => void;
}

/**
 * xterm.js as this page wants it: drawn by WebGL where the browser has it and by the DOM elsewhere; links that open only web
 * addresses, each shown before it is followed; no escape sequence reads or writes the clipboard, moves the window or reads its title.
 */
export function createScreen(deps: ScreenDeps) {
  const styles = createLawfulStyles(document);
  const follow = (_event: MouseEvent, address: string) => {
    if (/^https?:\/\//i.test(address)) window.open(address, '_blank', 'noopener,noreferrer');
  };
  const show = {
    hover: (_event: MouseEvent, address: string) => deps.onLink(address),
    leave: () => deps.onLink(null),
  };
  const term = new Terminal({
    allowProposedApi: true,
    fontFamily: FONT,
    lineHeight: 1.05,
    scrollback: KEPT_LINES,
    minimumContrastRatio: 4.5,
    cursorBlink: false,
    macOptionIsMeta: true,
    linkHandler: { activate: follow, ...show },
  });
  const fitting = new FitAddon();
  const search = new SearchAddon();
  term.loadAddon(fitting);
  term.loadAddon(search);
  term.loadAddon(new Unicode11Addon());
  term.loadAddon(new WebLinksAddon(follow, show));
  term.unicode.activeVersion = '11';
  const box = document.createElement('div');
  box.className = 'terminal-box';
  let opened = false;

  const wear = () => {
    const look = currentLook();
    term.options.fontSize = look.fontSize;
    const theme = themeShown(look.theme);
    term.options.theme = PALETTES[theme];
    box.style.background = PALETTES[theme].background!;
    box.style.colorScheme = theme;
    term.options.screenReaderMode = look.screenReader;
  };
  const stopLook = onLook(wear);
  wear();

  return {
    term,
    search,
    /** Stands in `host` from now on. Only the first time waits for the font: a cell is measured once. */
    async mount(host: HTMLElement): Promise<void> {
      if (!opened) await Promise.allSettled(FACES.map(face => document.fonts.load(`${face} ${FONT}`)));
      host.append(box);
      if (opened) return;
      opened = true;
      styles.during(() => term.open(box));
      term.textarea?.setAttribute('aria-label', deps.label);
      if (deps.webgl !== false) drawByWebgl(term, styles);
    },
    unmount(): void {
      box.remove();
    },
    /** As many columns and rows as fit the place it stands in; null while it stands nowhere. */
    fit(): { cols: number; rows: number } | null {
      if (!box.isConnected || box.clientWidth < 20) return null;
      const fits = fitting.proposeDimensions();
      if (fits === undefined || Number.isNaN(fits.cols) || Number.isNaN(fits.rows)) return null;
      if (fits.cols !== term.cols || fits.rows !== term.rows) term.resize(fits.cols, fits.rows);
      return fits;
    },
    /** Everything that was kept, as text. */
    text(): string {
      const buffer = term.buffer.active;
      const lines: string[] = [];
      for (let row = 0; row < buffer.length; row++) {
        const line = buffer.getLine(row);
        const words = line?.translateToString(true) ?? '';
        if (line?.isWrapped && lines.length > 0) lines[lines.length - 1] += words;
        else lines.push(words);
      }
      return lines.join('\n').trimEnd();
    },
    dispose(): void {
      stopLook();
      term.dispose();
      styles.dispose();
      box.remove();
    },
  };
}

export type Screen = ReturnType<typeof createScreen>;

/** Where WebGL is missing, or the system takes it away, xterm's own DOM renderer draws. */
function drawByWebgl(term: Terminal, styles: ReturnType<typeof createLawfulStyles>): void {
  try {
    const webgl = new WebglAddon();
    webgl.onContextLoss(() => styles.during(() => webgl.dispose()));
    term.loadAddon(webgl);
  } catch {
    // No WebGL here: nothing to do, the DOM renderer is at work already.
  }
}
