import { useEffect, useRef, useState, useSyncExternalStore } from 'react';
import { announce } from '../../live/announce.tsx';
import { FindBar } from './find-bar.tsx';
import { KeyBar } from './key-bar.tsx';
import type { Session } from './session.ts';
import { controlKeys } from './shortcuts.ts';
import { StateBanner } from './state-banner.tsx';
import { SELECTED_TAB } from './terminal-tabs.tsx';
import { TerminalTools } from './terminal-tools.tsx';

/** One terminal: its tools, its screen, and on a phone the keys that a phone lacks. */
export function TerminalPane({
  session,
  recorded,
  onClosed,
}: {
  session: Session;
  recorded: boolean;
  onClosed: () => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  const view = useSyncExternalStore(session.subscribe, session.view);
  const [finding, setFinding] = useState(false);

  useEffect(() => {
    const host = place.current!;
    const { term } = session.screen;
    const size = new ResizeObserver(session.sizedSoon);
    size.observe(host);
    let here = true;
    void session.mount(host).then(() => here && term.focus());
    term.attachCustomKeyEventHandler(
      controlKeys({
        copy: () => void copy(session),
        find: () => setFinding(true),
        leave: () => document.querySelector<HTMLElement>(SELECTED_TAB)?.focus(),
      }),
    );
    // Before xterm hears of it: it would send a paste of any size at once, and control characters with it.
    const pasted = (event: ClipboardEvent) => {
      event.preventDefault();
      event.stopImmediatePropagation();
      void session.paste(event.clipboardData?.getData('text/plain') ?? '');
    };
    host.addEventListener('paste', pasted, { capture: true });
    return () => {
      here = false;
      size.disconnect();
      host.removeEventListener('paste', pasted, { capture: true });
      session.screen.unmount();
    };
  }, [session]);

  return (
    <div className="terminal-pane" role="tabpanel" id="terminal" aria-label="Terminal">
      <TerminalTools
        session={session}
        view={view}
        recorded={recorded}
        onFind={() => setFinding(true)}
        onCopy={() => void copy(session)}
        onClosed={onClosed}
      />
      <StateBanner session={session} state={view.state} onClosed={onClosed} />
      <div className="terminal-place-holder">
        {finding && (
          <FindBar
            session={session}
            onClose={() => {
              setFinding(false);
              session.screen.term.focus();
            }}
          />
        )}
        <div ref={place} className={`terminal-place ${view.state.is}`} />
        {view.address !== null && <p className="terminal-address">{view.address}</p>}
      </div>
      <KeyBar session={session} ctrl={view.ctrl} />
    </div>
  );
}

/** What is selected, else everything that was kept. */
async function copy(session: Session): Promise<void> {
  const { term } = session.screen;
  const selected = term.hasSelection();
  try {
    await navigator.clipboard.writeText(selected ? term.getSelection() : session.screen.text());
    announce(selected ? 'Copied.' : 'Copied all that this terminal has printed.');
  } catch {
    announce('The browser did not let us copy.');
  }
  term.focus();
}
