import { useEffect, useState } from 'react';
import { Confirm } from '../../design/confirm.tsx';
import { Tag } from '../../design/mark.tsx';
import { announce } from '../../live/announce.tsx';
import { LookDialog } from './look-dialog.tsx';
import type { Session, SessionView } from './session.ts';
import { lampOf, stateWords } from './state-words.ts';
import { endTerminal } from './terminal-api.ts';
import { ended } from './use-terminals.ts';
import { sizeWords } from './words.ts';

/** How the terminal stands, and what may be done with it besides typing. */
export function TerminalTools(props: {
  session: Session;
  view: SessionView;
  recorded: boolean;
  onFind: () => void;
  onCopy: () => void;
  onClosed: () => void;
}) {
  const { session, view } = props;
  const [asking, ask] = useState<'end' | 'look' | null>(null);
  const selected = useSelected(session);
  const { state } = view;
  const paste = async () => {
    try {
      await session.paste(await navigator.clipboard.readText());
    } catch {
      announce('The browser did not let us read the clipboard. Paste with the keyboard: Ctrl+Shift+V.');
    }
    session.screen.term.focus();
  };
  return (
    <div className="terminal-tools">
      <div className="terminal-state">
        <p role="status">
          <span className={`lamp ${lampOf(state)}`} aria-hidden="true" />
          {stateWords(state)}
        </p>
        {view.size !== '' && <span className="terminal-size">{view.size}</span>}
        {props.recorded && <Tag>Recorded</Tag>}
        {view.pasting !== null && (
          <span>
            Pasting {sizeWords(view.pasting.sent)} of {sizeWords(view.pasting.of)}{' '}
            <Tool onClick={session.stopPaste}>Stop</Tool>
          </span>
        )}
      </div>
      <div className="terminal-acts">
        <Tool onClick={props.onFind}>Find</Tool>
        <Tool onClick={props.onCopy}>{selected ? 'Copy' : 'Copy all'}</Tool>
        <Tool onClick={() => void paste()}>Paste</Tool>
        <Tool onClick={() => ask('look')}>Settings</Tool>
        {state.is !== 'ended' && <Tool onClick={() => ask('end')}>End</Tool>}
      </div>
      {asking === 'look' && <LookDialog onClose={() => ask(null)} />}
      {asking === 'end' && (
        <Confirm
          title="End this terminal?"
          verb="End the shell"
          done="The shell has ended."
          act={async () => {
            await endTerminal(session.upstream, session.id);
            ended(session.upstream, session.id);
            props.onClosed();
          }}
          onClose={() => ask(null)}
        >
          The shell ends, and every program that runs in it. To leave it running, only close this window: it
          is kept for a while, and listed here.
        </Confirm>
      )}
    </div>
  );
}

function Tool({ onClick, children }: { onClick: () => void; children: string }) {
  return (
    <button type="button" className="terminal-tool" onClick={onClick}>
      {children}
    </button>
  );
}

function useSelected({ screen }: Session): boolean {
  const [selected, setSelected] = useState(() => screen.term.hasSelection());
  useEffect(() => {
    const watch = screen.term.onSelectionChange(() => setSelected(screen.term.hasSelection()));
    return () => watch.dispose();
  }, [screen]);
  return selected;
}
