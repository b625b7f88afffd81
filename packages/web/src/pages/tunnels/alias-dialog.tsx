import type { FormEvent } from 'react';
import { api } from '../../api/client.ts';
import type { Tunnel } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Dialog, DialogActions } from '../../design/dialog.tsx';
import { TextField } from '../../design/field.tsx';
import { Failure } from '../../design/state.tsx';
import { useAct } from '../../live/act.ts';

/** An admin gives a tunnel a name without its owner's before it. */
export function AliasDialog({ tunnel, onClose }: { tunnel: Tunnel; onClose: () => void }) {
  const act = useAct();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const alias = String(new FormData(event.currentTarget).get('alias')).trim() || null;
    const change = () => api.patch(`/api/v1/tunnels/${encodeURIComponent(tunnel.id)}`, { alias });
    const said = alias === null ? 'The plain name is free again.' : `It is called ${alias} now, too.`;
    if (await act.run(change, said)) onClose();
  };
  return (
    <Dialog title={`Plain name of ${tunnel.name}`} onClose={onClose}>
      <form onSubmit={event => void submit(event)}>
        <TextField
          label="Plain name"
          name="alias"
          defaultValue={tunnel.alias ?? ''}
          placeholder="wiki"
          pattern="[a-z0-9][a-z0-9._\-]*"
          maxLength={63}
          help="Small letters, digits, dots, dashes. It leads to this tunnel besides its own name, and nobody else can take it. Empty gives it back."
        />
        {act.error !== null && <Failure error={act.error} />}
        <DialogActions>
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="solid" busy={act.busy}>
            Save
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
