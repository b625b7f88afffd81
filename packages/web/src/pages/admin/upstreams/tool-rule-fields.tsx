import { useState } from 'react';
import type { ToolRule, ToolRules, UpstreamRecord } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Choice, Group, SelectField, TextField } from '../../../design/field.tsx';
import { fieldOf } from './tool-rules-draft.ts';

/** Of an MCP server: which of its tools may be called, by whom, and what the audit keeps of a call. */
export function ToolFields({ upstream }: { upstream: UpstreamRecord | null }) {
  return (
    <>
      <ToolRuleFields tools={upstream?.tools ?? {}} />
      <Choice
        name="record_arguments"
        label="Keep in the audit what tools are called with"
        defaultChecked={upstream?.recordArguments}
        help="Each call is in the audit in any case: who, which tool, how long. Arguments may hold what people write, so they are kept only when this is on."
      />
    </>
  );
}

/** Which tools may be called, by whom; read by `toolsIn`. */
export function ToolRuleFields({ tools }: { tools: ToolRules }) {
  const [groups, setGroups] = useState(() =>
    Object.entries(tools.groups ?? {}).map(([group, rule], at) => ({ at, group, rule })),
  );
  const add = () =>
    setGroups([...groups, { at: Math.max(-1, ...groups.map(({ at }) => at)) + 1, group: '', rule: {} }]);
  return (
    <Group legend="Which tools may be called">
      <p className="field-help">
        What may not be called is not listed either. This rule holds for everybody, admins too; a group's
        holds for its members besides.
      </p>
      <RuleFields name="tools" rule={tools} whose="everybody" />
      {groups.map(({ at, group, rule }) => (
        <fieldset key={at} className="under tool-group">
          <legend className="unseen">{group === '' ? 'Another group' : `Group ${group}`}</legend>
          <TextField
            label="Group"
            name={fieldOf(`tools-${at}`, 'group')}
            required
            defaultValue={group}
            placeholder="interns"
          />
          <RuleFields name={`tools-${at}`} rule={rule} whose="the group" />
          <div>
            <Button
              look="quiet"
              onClick={() => setGroups(groups.filter(other => other.at !== at))}
              aria-label={group === '' ? 'Drop this rule' : `Drop this rule: ${group}`}
            >
              Drop this rule
            </Button>
          </div>
        </fieldset>
      ))}
      <div>
        <Button onClick={add}>Add a rule for a group</Button>
      </div>
    </Group>
  );
}

function RuleFields({ name, rule, whose }: { name: string; rule: ToolRule; whose: string }) {
  const [which, setWhich] = useState(rule.allow === undefined ? 'all' : 'some');
  return (
    <div className="pair">
      <SelectField
        label={`Tools for ${whose}`}
        name={fieldOf(name, 'which')}
        value={which}
        onChange={event => setWhich(event.target.value)}
      >
        <option value="all">all of them</option>
        <option value="some">only those named</option>
      </SelectField>
      {which === 'some' && (
        <TextField
          label="Only these"
          name={fieldOf(name, 'allow')}
          defaultValue={rule.allow?.join(', ')}
          placeholder="search, read_*"
          help="Separated by commas; * stands for any characters. Empty: none."
        />
      )}
      <TextField
        label="Never these"
        name={fieldOf(name, 'deny')}
        defaultValue={rule.deny?.join(', ')}
        placeholder="delete_*"
        help="They win over what is allowed."
      />
    </div>
  );
}
