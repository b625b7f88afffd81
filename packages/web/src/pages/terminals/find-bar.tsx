import { type KeyboardEvent, useEffect, useRef, useState } from 'react';
import type { Session } from './session.ts';

/** Searches in all that was kept. */
export function FindBar({ session, onClose }: { session: Session; onClose: () => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [words, setWords] = useState('');
  const [found, setFound] = useState<{ at: number; of: number } | null>(null);
  const { search } = session.screen;
  useEffect(() => {
    input.current?.focus();
    const results = search.onDidChangeResults(({ resultIndex, resultCount }) =>
      setFound({ at: resultIndex + 1, of: resultCount }),
    );
    return () => {
      results.dispose();
      search.clearDecorations();
    };
  }, [search]);
  const go = (back: boolean, term = words, incremental = false) => {
    const options = { incremental: incremental && !back, decorations: MARKS };
    if (term === '') search.clearDecorations();
    else if (back) search.findPrevious(term, options);
    else search.findNext(term, options);
    if (term === '') setFound(null);
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key === 'Escape') onClose();
    else if (event.key === 'Enter') go(event.shiftKey);
    else return;
    event.preventDefault();
  };
  return (
    <search className="terminal-find" onKeyDown={onKey}>
      <input
        ref={input}
        className="control"
        aria-label="Find in this terminal"
        value={words}
        autoComplete="off"
        spellCheck={false}
        onChange={event => {
          setWords(event.target.value);
          go(false, event.target.value, true);
        }}
      />
      <span role="status" className="terminal-found">
        {found === null ? '' : found.of === 0 ? 'Not found' : `${found.at} of ${found.of}`}
      </span>
      <button type="button" className="terminal-tool" onClick={() => go(true)} aria-label="Previous">
        ↑
      </button>
      <button type="button" className="terminal-tool" onClick={() => go(false)} aria-label="Next">
        ↓
      </button>
      <button type="button" className="terminal-tool" onClick={onClose} aria-label="Close find">
        ✕
      </button>
    </search>
  );
}

/** Ochre behind what was found, stronger where one stands: seen on both themes. */
const MARKS = {
  matchBackground: '#8a6a2f',
  activeMatchBackground: '#c98a1b',
  matchOverviewRuler: '#8a6a2f',
  activeMatchColorOverviewRuler: '#c98a1b',
};
