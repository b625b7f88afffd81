/** The page's own keys. A terminal cannot tell Ctrl+Shift+letter from Ctrl+letter, so programs miss nothing. */
export const SHORTCUTS = [
  ['Ctrl+Shift+C', 'Copy what is selected'],
  ['Ctrl+Shift+V', 'Paste'],
  ['Ctrl+Shift+F', 'Find'],
  ['Ctrl+Shift+L', 'Leave the terminal: the focus goes to its tab, and from there anywhere'],
  ['Shift+Page Up, Shift+Page Down', 'Scroll'],
] as const;

/** @returns for xterm: whether a key is the terminal's */
export function controlKeys(acts: { copy: () => void; find: () => void; leave: () => void }) {
  return (event: KeyboardEvent): boolean => {
    if (!event.ctrlKey || !event.shiftKey || event.altKey || event.metaKey) return true;
    // The browser itself pastes: so no permission is asked for.
    if (event.code === 'KeyV') return false;
    const act = { KeyC: acts.copy, KeyF: acts.find, KeyL: acts.leave }[event.code];
    if (act === undefined) return true;
    event.preventDefault();
    if (event.type === 'keydown') act();
    return false;
  };
}
