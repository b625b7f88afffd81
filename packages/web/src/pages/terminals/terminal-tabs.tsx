import { type KeyboardEvent, type ReactNode, useEffect, useRef, useSyncExternalStore } from 'react';
import { keyOf, sessionOf, type TerminalName } from './sessions.ts';
import { lampOf, stateWords } from './state-words.ts';

const NOTHING = () => () => {};

export const SELECTED_TAB = '.terminal-tabs [aria-selected="true"]';

/** One tab a terminal (the tabs pattern of the ARIA Authoring Practices: arrows move, one tab stop). */
export function TerminalTabs(props: {
  all: readonly TerminalName[];
  current: TerminalName;
  nameOf: (upstream: string) => string;
  onChoose: (terminal: TerminalName) => void;
  children: ReactNode;
}) {
  const { all, current } = props;
  const move = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const at = all.findIndex(one => keyOf(one) === keyOf(current));
    const next = all[(at + step + all.length) % all.length]!;
    props.onChoose(next);
    document.getElementById(`tab-${keyOf(next)}`)?.focus();
  };
  return (
    <div className="terminal-strip">
      <div className="terminal-tabs" role="tablist" aria-label="My terminals" onKeyDown={move}>
        {all.map(terminal => {
          const same = all.filter(({ upstream }) => upstream === terminal.upstream);
          const name = props.nameOf(terminal.upstream);
          return (
            <Tab
              key={keyOf(terminal)}
              terminal={terminal}
              name={same.length === 1 ? name : `${name} ${same.indexOf(terminal) + 1}`}
              selected={terminal === current}
              onChoose={() => props.onChoose(terminal)}
            />
          );
        })}
      </div>
      {props.children}
    </div>
  );
}

function Tab(props: { terminal: TerminalName; name: string; selected: boolean; onChoose: () => void }) {
  const session = sessionOf(props.terminal);
  const view = useSyncExternalStore(session?.subscribe ?? NOTHING, () => session?.view());
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (props.selected) button.current?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [props.selected]);
  return (
    <button
      ref={button}
      type="button"
      role="tab"
      id={`tab-${keyOf(props.terminal)}`}
      aria-selected={props.selected}
      aria-controls={props.selected ? 'terminal' : undefined}
      tabIndex={props.selected ? 0 : -1}
      onClick={props.onChoose}
    >
      <span className={`lamp ${view === undefined ? 'off' : lampOf(view.state)}`} aria-hidden="true" />
      <span className="terminal-tab-name">{props.name}</span>
      {view !== undefined && view.title !== '' && <span className="terminal-tab-title">{view.title}</span>}
      {view !== undefined && <span className="unseen">, {stateWords(view.state)}</span>}
    </button>
  );
}
