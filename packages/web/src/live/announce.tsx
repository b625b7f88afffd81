import { useEffect, useState } from 'react';

interface Words {
  readonly text: string;
  /** Only for screen readers: what others did, which the eye sees in the list itself. */
  readonly quiet: boolean;
}

const NOTHING: Words = { text: '', quiet: false };
let say: (words: Words) => void = () => {};

/** Says what came of the person's own act: spoken without moving the focus, and shown for a moment. */
export function announce(text: string): void {
  say({ text, quiet: false });
}

/** Says that what is on show changed by itself; never over the answer to the person's own act. */
export function announceQuietly(text: string): void {
  say({ text, quiet: true });
}

/** The one live region of the console. It must stand in the page before it is spoken to. */
export function Announcer() {
  const [words, setWords] = useState(NOTHING);
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let shown = NOTHING;
    const show = (next: Words) => {
      shown = next;
      setWords(next);
    };
    say = next => {
      if (next.quiet && shown !== NOTHING && !shown.quiet) return;
      clearTimeout(timer);
      timer = setTimeout(show, 6000, NOTHING);
      show(next);
    };
    return () => {
      clearTimeout(timer);
      say = () => {};
    };
  }, []);
  return (
    <div className="announcer" role="status" aria-live="polite">
      {words !== NOTHING && <p className={words.quiet ? 'unseen' : undefined}>{words.text}</p>}
    </div>
  );
}
