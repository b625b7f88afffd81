import { useState } from 'react';
import type { ClaimRule } from '../../../api/types.ts';
import { Choice, Group, TextField } from '../../../design/field.tsx';

/** A question that is answered for all, or by what the provider says of a person. */
export function ClaimFields(props: {
  legend: string;
  /** Of the fields: `allow`, `admins`. */
  name: string;
  rule: ClaimRule | null;
  forAll: string;
  byClaim: string;
  placeholder: string;
}) {
  const { name, rule } = props;
  const [by, setBy] = useState(rule === null ? 'all' : 'claim');
  return (
    <Group legend={props.legend}>
      <Choice
        type="radio"
        name={name}
        value="all"
        label={props.forAll}
        checked={by === 'all'}
        onChange={() => setBy('all')}
      />
      <Choice
        type="radio"
        name={name}
        value="claim"
        label={props.byClaim}
        checked={by === 'claim'}
        onChange={() => setBy('claim')}
      />
      {by === 'claim' && (
        <div className="pair under">
          <TextField
            label="Claim"
            name={`${name}_claim`}
            required
            defaultValue={rule?.claim ?? 'groups'}
            help="What the provider says of a person."
          />
          <TextField
            label="Values"
            name={`${name}_has`}
            required
            defaultValue={rule?.has.join(', ')}
            placeholder={props.placeholder}
            help="One of these, separated by commas."
          />
        </div>
      )}
    </Group>
  );
}
