import { useEffect, useState } from 'react';

let say: (text: string) => void = () => {};

/** Speaks to screen readers without moving the focus; the last words are also shown for a moment. */
export function announce(text: string): void {
  say(text);
}

/** The one live region of the console. It must stand in the page before it is spoken to. */
export function Announcer() {
  const [text, setText] = useState('');
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    say = next => {
      clearTimeout(timer);
      setText(next);
      timer = setTimeout(() => setText(''), 6000);
    };
    return () => {
      clearTimeout(timer);
      say = () => {};
    };
  }, []);
  return (
    <div className="announcer" role="status" aria-live="polite">
      {text !== '' && <p>{text}</p>}
    </div>
  );
}
