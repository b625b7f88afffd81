import type { MouseEvent } from 'react';
import type { Session } from './session.ts';
import { TOUCH_KEYS } from './touch-keys.ts';

/** The focus stays in the terminal, so that the phone's keyboard stays up. */
const keepFocus = (event: MouseEvent) => event.preventDefault();

/** The keys that a phone's keyboard lacks; only shown where fingers do the pointing. */
export function KeyBar({ session, ctrl }: { session: Session; ctrl: boolean }) {
  const { term } = session.screen;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset is for the controls of a form
    <div className="terminal-keys" role="group" aria-label="More keys">
      <button type="button" aria-pressed={ctrl} onMouseDown={keepFocus} onClick={session.armCtrl}>
        Ctrl
      </button>
      {TOUCH_KEYS.map(key => (
        <button
          key={key.name}
          type="button"
          aria-label={key.name}
          onMouseDown={keepFocus}
          onClick={() => session.press(key.keys(term.modes.applicationCursorKeysMode))}
        >
          {key.label}
        </button>
      ))}
    </div>
  );
}
