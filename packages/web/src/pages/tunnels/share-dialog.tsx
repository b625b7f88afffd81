import type { FormEvent } from 'react';
import { useState } from 'react';
import { api } from '../../api/client.ts';
import type { ToolRules, Tunnel } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Dialog, DialogActions } from '../../design/dialog.tsx';
import { Choice, Group, keptList, listOf, TextField } from '../../design/field.tsx';
import { Failure } from '../../design/state.tsx';
import { useAct } from '../../live/act.ts';
import { ToolRuleFields } from '../admin/upstreams/tool-rule-fields.tsx';
import { toolsIn } from '../admin/upstreams/tool-rules-draft.ts';

/** Who may use a tunnel beside its owner and admins, and of an MCP server, which of its tools. */
export function ShareDialog({ tunnel, onClose }: { tunnel: Tunnel; onClose: () => void }) {
  const act = useAct();
  const before = tunnel.shared ?? { everyone: false, users: [], groups: [] };
  const named = before.users.length + before.groups.length > 0;
  const hasTools = tunnel.kind === 'mcp' || tunnel.kind === 'stdio';
  const [who, setWho] = useState(before.everyone ? 'everyone' : named ? 'some' : 'nobody');
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const text = (name: string) => String(form.get(name) ?? '').trim();
    const shared = {
      everyone: who === 'everyone',
      users: who === 'some' ? keptList(text('users'), before.users, listOf) : [],
      groups: who === 'some' ? keptList(text('groups'), before.groups) : [],
    };
    const draft = { shared, ...(hasTools && { tools: rulesIn(form, tunnel) }) };
    const change = () => api.patch(`/api/v1/tunnels/${encodeURIComponent(tunnel.id)}`, draft);
    if (
      await act.run(
        change,
        who === 'nobody' ? `${tunnel.name} is its owner's alone.` : `${tunnel.name} is shared.`,
      )
    )
      onClose();
  };
  const choice = (value: string, label: string) => (
    <Choice
      type="radio"
      name="who"
      value={value}
      label={label}
      checked={who === value}
      onChange={() => setWho(value)}
    />
  );
  return (
    <Dialog title={`Share ${tunnel.name}`} onClose={onClose}>
      <form onSubmit={event => void submit(event)}>
        <p>
          Whoever it is shared with finds it on their home page, and calls it as themselves. What is taken
          back breaks off calls under way.
        </p>
        <Group legend="Who may use it">
          {choice('nobody', 'Only its owner, and admins')}
          {choice('some', 'Some people or groups besides')}
          {who === 'some' && (
            <div className="pair under">
              <TextField
                label="People"
                name="users"
                defaultValue={before.users.join(', ')}
                placeholder="bo@corp.example"
                help="Addresses, separated by commas."
              />
              <TextField
                label="Groups"
                name="groups"
                defaultValue={before.groups.join(', ')}
                placeholder="engineering"
                help="Separated by commas."
              />
            </div>
          )}
          {choice('everyone', 'Everyone who signed in')}
        </Group>
        {hasTools && <ToolRuleFields tools={tunnel.tools ?? {}} />}
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

/** Null where there are none. */
function rulesIn(form: FormData, tunnel: Tunnel): ToolRules | null {
  const rules = toolsIn(form, tunnel.tools ?? {});
  const none = rules.allow === undefined && rules.deny?.length === 0 && rules.groups === undefined;
  return none ? null : rules;
}
