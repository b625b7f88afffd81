import { Button } from '../../design/button.tsx';
import { Empty, Failure } from '../../design/state.tsx';
import { useAct } from '../../live/act.ts';
import { UpstreamList } from './new-terminal.tsx';
import type { TerminalName } from './sessions.ts';
import { createTerminal, type Terminals } from './terminal-api.ts';
import { started } from './use-terminals.ts';

/** Nothing runs: where something may. */
export function NoTerminals(props: {
  terminals: Terminals;
  nameOf: (upstream: string) => string;
  onStarted: (terminal: TerminalName) => void;
}) {
  const { upstreams, failing } = props.terminals;
  const act = useAct();
  const start = (upstream: string) =>
    act.run(async () => {
      const terminal = await createTerminal(upstream);
      started(terminal);
      props.onStarted(terminal);
    });
  return (
    <div className="terminals-none">
      {act.error !== null && <Failure error={act.error} />}
      {failing.map(({ upstream, error }) => (
        <Failure key={upstream} error={error} />
      ))}
      {upstreams.length === 0 ? (
        <Empty title="There is no terminal server for you.">
          An admin may add one as an upstream of the kind “terminal”.
        </Empty>
      ) : (
        <>
          <p className="page-lead">No terminal of yours is running.</p>
          <UpstreamList
            upstreams={upstreams}
            nameOf={props.nameOf}
            busy={act.busy}
            onStart={id => void start(id)}
          />
        </>
      )}
    </div>
  );
}

/** Some window or program is at this terminal: only the person decides to take it from there. */
export function OpenElsewhere({ onOpen }: { onOpen: (mode: 'take' | 'watch') => void }) {
  return (
    <div className="terminals-none" role="tabpanel" id="terminal" aria-label="Terminal">
      <p className="page-lead">This terminal is in use in another window, or by a program.</p>
      <p className="page-actions">
        <Button look="solid" onClick={() => onOpen('take')}>
          Take the keyboard
        </Button>
        <Button onClick={() => onOpen('watch')}>Only watch</Button>
      </p>
    </div>
  );
}
