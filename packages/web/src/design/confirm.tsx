import { type ReactNode, useEffect, useState } from 'react';
import { type ApiError, api, asApiError } from '../api/client.ts';
import type { Consequences } from '../api/types.ts';
import { useAct } from '../live/act.ts';
import { Button } from './button.tsx';
import { consequenceLines } from './consequence-lines.ts';
import { Dialog, DialogActions } from './dialog.tsx';
import { Failure } from './state.tsx';

/** Asks before something is removed, and says what goes with it. */
export function Confirm(props: {
  title: string;
  /** What happens, in a sentence or two. */
  children: ReactNode;
  verb: string;
  done: string;
  /** Where the gateway tells what goes along. */
  consequences?: string;
  /** What of that stays after all. */
  kept?: readonly string[];
  act: () => Promise<unknown>;
  onClose: () => void;
}) {
  const act = useAct();
  const confirm = async () => {
    if (await act.run(props.act, props.done)) props.onClose();
  };
  return (
    <Dialog title={props.title} onClose={props.onClose}>
      <div>{props.children}</div>
      {props.consequences !== undefined && (
        <WhatGoesAlong path={props.consequences} kept={props.kept ?? []} />
      )}
      {act.error !== null && <Failure error={act.error} />}
      <DialogActions>
        <Button onClick={props.onClose}>Cancel</Button>
        <Button look="danger" busy={act.busy} onClick={() => void confirm()}>
          {props.verb}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

function WhatGoesAlong({ path, kept }: { path: string; kept: readonly string[] }) {
  const [found, setFound] = useState<Consequences | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    let gone = false;
    api.get<Consequences>(path).then(
      answer => gone || setFound(answer),
      thrown => gone || setError(asApiError(thrown)),
    );
    return () => {
      gone = true;
    };
  }, [path]);
  if (error !== null) return <Failure error={error} />;
  if (found === null) return <p role="status">Looking up what goes along…</p>;
  const going = Object.entries(found).filter(([name]) => !kept.includes(name));
  const lines = consequenceLines(Object.fromEntries(going));
  return (
    <div role="status">
      <p>{lines.length === 0 ? 'Nothing else goes along.' : 'What goes along:'}</p>
      <ul className="goes-along">
        {lines.map(line => (
          <li key={line}>{line}</li>
        ))}
      </ul>
    </div>
  );
}
