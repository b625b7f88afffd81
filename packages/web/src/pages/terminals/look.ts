import type { ITheme } from '@xterm/xterm';

export type Theme = 'console' | 'light' | 'dark';

/** How this browser shows terminals; nothing of what is in them. */
export interface Look {
  fontSize: number;
  theme: Theme;
  screenReader: boolean;
}

export const SMALLEST = 9;
export const LARGEST = 28;
const KEY = 'sallyport-terminal';
const USUAL: Look = { fontSize: 15, theme: 'console', screenReader: false };

let look = read();
const listeners = new Set<() => void>();

function read(): Look {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Look>;
    return {
      fontSize: fit(Number(kept.fontSize ?? USUAL.fontSize)),
      theme: kept.theme === 'light' || kept.theme === 'dark' ? kept.theme : 'console',
      screenReader: kept.screenReader === true,
    };
  } catch {
    return USUAL;
  }
}

const fit = (size: number): number =>
  Number.isFinite(size) ? Math.min(LARGEST, Math.max(SMALLEST, Math.round(size))) : USUAL.fontSize;

export const currentLook = (): Look => look;

export function changeLook(change: Partial<Look>): void {
  look = { ...look, ...change, fontSize: fit(change.fontSize ?? look.fontSize) };
  try {
    localStorage.setItem(KEY, JSON.stringify(look));
  } catch {
    // Storage is switched off: the choice lasts as long as the page.
  }
  tell();
}

export function onLook(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(): void {
  for (const listener of listeners) listener();
}

const night = matchMedia('(prefers-color-scheme: dark)');
night.addEventListener('change', tell);
new MutationObserver(tell).observe(document.documentElement, { attributeFilter: ['data-theme'] });

/** The theme on show: the chosen one, or whatever the console wears. */
export function themeShown(chosen: Theme): 'light' | 'dark' {
  if (chosen !== 'console') return chosen;
  const page = document.documentElement.dataset['theme'];
  if (page === 'light' || page === 'dark') return page;
  return night.matches ? 'dark' : 'light';
}

/** Stone, ink and verdigris, and the sixteen colours programs ask for in tones that stand beside them. */
export const PALETTES: Record<'light' | 'dark', ITheme> = {
  light: {
    background: '#fcfaf5',
    foreground: '#1c2422',
    cursor: '#17655a',
    cursorAccent: '#fcfaf5',
    selectionBackground: '#bfdcd2',
    selectionInactiveBackground: '#bfdcd2',
    black: '#1c2422',
    red: '#96341a',
    green: '#17655a',
    yellow: '#744b00',
    blue: '#0b5fae',
    magenta: '#7a3b7a',
    cyan: '#0d6477',
    white: '#857f6e',
    brightBlack: '#555d57',
    brightRed: '#b4431f',
    brightGreen: '#1e7a5f',
    brightYellow: '#8a5a00',
    brightBlue: '#1a73c7',
    brightMagenta: '#934a93',
    brightCyan: '#127a8f',
    brightWhite: '#3c4441',
  },
  dark: {
    background: '#111816',
    foreground: '#ebe7dc',
    cursor: '#78cab5',
    cursorAccent: '#111816',
    selectionBackground: '#2f5a50',
    selectionInactiveBackground: '#2f5a50',
    black: '#2d3633',
    red: '#f19c80',
    green: '#78cab5',
    yellow: '#e5bd70',
    blue: '#8cc4ff',
    magenta: '#d9a6d6',
    cyan: '#7fcfe0',
    white: '#d4cdbe',
    brightBlack: '#8d968f',
    brightRed: '#ffb69e',
    brightGreen: '#9adcca',
    brightYellow: '#f2d397',
    brightBlue: '#b3d9ff',
    brightMagenta: '#ebc5e9',
    brightCyan: '#a8e2ee',
    brightWhite: '#fcfaf5',
  },
};
