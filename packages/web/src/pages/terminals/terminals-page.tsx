import { useEffect, useState, useSyncExternalStore } from 'react';
import { Loaded } from '../../design/state.tsx';
import { useHeading } from '../../shell/page.tsx';
import { NewTerminal } from './new-terminal.tsx';
import { NoTerminals, OpenElsewhere } from './no-terminals.tsx';
import { onPhoneKeyboard } from './phone-keyboard.ts';
import { closeSession, keyOf, openSession, openSessions, sessionOf, type TerminalName } from './sessions.ts';
import type { Terminals } from './terminal-api.ts';
import { TerminalPane } from './terminal-pane.tsx';
import { TerminalTabs } from './terminal-tabs.tsx';
import { useTerminals } from './use-terminals.ts';
import './terminals.css';

/** My terminals, one tab each, and the one at hand. */
export default function TerminalsPage() {
  const heading = useHeading('Terminals');
  const terminals = useTerminals();
  useEffect(onPhoneKeyboard, []);
  return (
    <div className="terminals">
      <h1 ref={heading} tabIndex={-1} className="terminals-title">
        Terminals
      </h1>
      <Loaded of={terminals}>{data => <TerminalDesk terminals={data} />}</Loaded>
    </div>
  );
}

function TerminalDesk({ terminals }: { terminals: Terminals }) {
  const open = useSyncExternalStore(openSessions.subscribe, openSessions.all);
  const [chosen, choose] = useChosen();
  // A shell that has ended keeps its tab, so that its last words can be read.
  const ended = open.filter(session => !terminals.running.some(other => keyOf(other) === keyOf(session)));
  const all: TerminalName[] = [...terminals.running, ...ended];
  const current = all.find(one => keyOf(one) === chosen) ?? all[0];
  const nameOf = (upstream: string) =>
    terminals.upstreams.find(({ id }) => id === upstream)?.name ?? upstream;
  const session = current === undefined ? undefined : sessionOf(current);
  const running = terminals.running.find(one => current !== undefined && keyOf(one) === keyOf(current));
  const elsewhere = session === undefined && running?.attached === true && !wasMine(keyOf(running));

  useEffect(() => {
    if (current === undefined || session !== undefined || elsewhere) return;
    openSession(current, 'take');
  }, [current, session, elsewhere]);
  useEffect(() => {
    if (session !== undefined) history.replaceState({ mine: keyOf(session) }, '', hashOf(session));
  }, [session]);

  const another = <NewTerminal upstreams={terminals.upstreams} nameOf={nameOf} onStarted={choose} />;
  if (current === undefined) return <NoTerminals terminals={terminals} nameOf={nameOf} onStarted={choose} />;
  return (
    <>
      <TerminalTabs all={all} current={current} nameOf={nameOf} onChoose={choose}>
        {another}
      </TerminalTabs>
      {session !== undefined && (
        <TerminalPane
          key={keyOf(session)}
          session={session}
          recorded={terminals.upstreams.some(({ id, recording }) => id === session.upstream && recording)}
          onClosed={() => {
            closeSession(session);
          }}
        />
      )}
      {elsewhere && running !== undefined && (
        <OpenElsewhere onOpen={mode => void openSession(running, mode)} />
      )}
    </>
  );
}

const hashOf = (terminal: TerminalName): string =>
  `#${encodeURIComponent(terminal.upstream)}/${encodeURIComponent(terminal.id)}`;

function inAddress(): string | null {
  const found = /^#([^/]+)\/(.+)$/.exec(location.hash);
  try {
    return found === null ? null : `${decodeURIComponent(found[1]!)}/${decodeURIComponent(found[2]!)}`;
  } catch {
    return null;
  }
}

/** Whether this very window had the terminal before it was loaded again. */
const wasMine = (key: string): boolean => (history.state as { mine?: string } | null)?.mine === key;

/** The chosen terminal stands in the address, so that a reload and a bookmark come back to it. */
function useChosen() {
  const [chosen, setChosen] = useState(inAddress);
  useEffect(() => {
    const look = () => setChosen(inAddress());
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);
  const choose = (terminal: TerminalName) => {
    history.replaceState(null, '', hashOf(terminal));
    setChosen(keyOf(terminal));
  };
  return [chosen, choose] as const;
}
