/** A key that a phone's keyboard does not have. */
export interface TouchKey {
  readonly name: string;
  readonly label: string;
  /** What it types; `application` while the program asked for application cursor keys (DECCKM). */
  readonly keys: (application: boolean) => string;
}

const arrow = (letter: string) => (application: boolean) => `\x1b${application ? 'O' : '['}${letter}`;
const plain = (keys: string) => () => keys;

export const TOUCH_KEYS: readonly TouchKey[] = [
  { name: 'Esc', label: 'Esc', keys: plain('\x1b') },
  { name: 'Tab', label: 'Tab', keys: plain('\t') },
  { name: 'Left', label: '←', keys: arrow('D') },
  { name: 'Up', label: '↑', keys: arrow('A') },
  { name: 'Down', label: '↓', keys: arrow('B') },
  { name: 'Right', label: '→', keys: arrow('C') },
  { name: 'Pipe', label: '|', keys: plain('|') },
  { name: 'Tilde', label: '~', keys: plain('~') },
  { name: 'Slash', label: '/', keys: plain('/') },
  { name: 'Hyphen', label: '-', keys: plain('-') },
];

/** What Ctrl makes of a key: `c` → 0x03, `[` → Escape, `?` → Delete, an arrow → a word's step; all else stays as it is. */
export function controlOf(data: string): string {
  const step = /^\x1b[[O]([A-D])$/.exec(data);
  if (step !== null) return `\x1b[1;5${step[1]}`;
  if (data.length !== 1) return data;
  if (data === '?') return '\x7f';
  if (data === ' ') return '\0';
  const code = data.toUpperCase().charCodeAt(0);
  return code >= 0x40 && code <= 0x5f ? String.fromCharCode(code & 0x1f) : data;
}
