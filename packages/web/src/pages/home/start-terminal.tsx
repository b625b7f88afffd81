import { Button } from '../../design/button.tsx';
import { Failure } from '../../design/state.tsx';
import { useAct } from '../../live/act.ts';
import { navigate } from '../../router/router.tsx';
import { createTerminal, pageOf } from '../terminals/terminal-api.ts';
import { started } from '../terminals/use-terminals.ts';

/** One click, and the person is at a shell. */
export function StartTerminal({ upstream, name }: { upstream: string; name: string }) {
  const act = useAct();
  const start = () =>
    act.run(async () => {
      const terminal = await createTerminal(upstream);
      started(terminal);
      navigate(pageOf(terminal.upstream, terminal.id));
    });
  return (
    <>
      <Button
        look="solid"
        busy={act.busy}
        aria-label={`New terminal on ${name}`}
        onClick={() => void start()}
      >
        New terminal
      </Button>
      {act.error !== null && <Failure error={act.error} />}
    </>
  );
}
