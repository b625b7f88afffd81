import type { UpstreamRecord } from '../../../api/types.ts';
import { Choice, Group, SelectField, TextField } from '../../../design/field.tsx';
import { shortDuration } from './terminal-rules-draft.ts';

/** Of a terminal server: how it is attached to, how long a terminal outlives its windows, and what is kept of it. */
export function TerminalFields({ upstream }: { upstream: UpstreamRecord | null }) {
  return (
    <>
      <Group legend="How its terminals are opened">
        <div className="pair">
          <SelectField
            label="Show the credential"
            name="attach"
            defaultValue={upstream?.attach ?? 'auto'}
            help="Finding out puts it into the URL only for a server that takes it no other way, where that server's log may keep it."
          >
            <option value="auto">as the server wants it (found out)</option>
            <option value="message">in the first message, never in the URL</option>
            <option value="query">in the URL (old orchestrators)</option>
          </SelectField>
          <TextField
            label="Policy"
            name="policy"
            defaultValue={upstream?.policy}
            placeholder="gpu"
            help="Of an orchestrator: the policy that containers are made by. Empty: its own default, and for any other server."
          />
        </div>
      </Group>
      <Group legend="How long they live">
        <div className="pair">
          <DurationField
            label="Kept for who comes back"
            name="reattach"
            of={upstream}
            usual="10m"
            help="A terminal stays open so long after its last window went, with the end of its output. Empty: 10 minutes."
          />
          <DurationField
            label="Deleted when left"
            name="orphanAfter"
            of={upstream}
            usual="10m"
            help="So long after nobody is attached any more, it is deleted at the server. Empty: 10 minutes."
          />
        </div>
        <div className="pair">
          <DurationField
            label="Closed when idle"
            name="idle"
            of={upstream}
            usual="8h"
            help="After so long in which nothing is typed or printed. Empty: 8 hours."
          />
          <DurationField
            label="Closed in any case"
            name="lifetime"
            of={upstream}
            usual="24h"
            help="So long after it was opened, whatever happens in it. Empty: 24 hours."
          />
        </div>
      </Group>
      <Choice
        name="record"
        label="Record what its terminals print"
        defaultChecked={upstream?.record}
        help="Its users are told. Recordings are kept sealed, for as long as the audit; who made one and admins can play and download it."
      />
      <p className="field-help">
        Shells on the gateway's own machine (<code>embedded</code>, <code>isolate</code>) are switched on in
        the configuration file alone: no admin's session can reach that machine by itself.
      </p>
    </>
  );
}

function DurationField({
  of,
  name,
  usual,
  ...rest
}: {
  label: string;
  help: string;
  of: UpstreamRecord | null;
  name: 'reattach' | 'orphanAfter' | 'idle' | 'lifetime';
  usual: string;
}) {
  return (
    <TextField
      {...rest}
      name={name}
      defaultValue={shortDuration(of?.[name])}
      placeholder={usual}
      pattern="\s*\d+\s*(ms|s|m|h|d)\s*"
      title="a duration such as 30s, 15m, 12h or 30d"
    />
  );
}
