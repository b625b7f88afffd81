import { useState } from 'react';
import { Choice, Group, SelectField, TextArea, TextField } from '../../design/field.tsx';
import type { Json } from './mcp-client.ts';
import type { Option, Shape } from './schema.ts';

/** What every field has. */
export interface Common {
  label: string;
  help?: string;
  required: boolean;
  value: Json | undefined;
  onChange: (value: Json | undefined) => void;
}

export function Text({ type, value, onChange, ...rest }: Common & { type: 'email' | 'url' | 'date' | null }) {
  const control = {
    ...rest,
    value: typeof value === 'string' ? value : '',
    onChange: (event: { target: { value: string } }) => onChange(event.target.value || undefined),
  };
  return type === null ? <TextArea rows={1} {...control} /> : <TextField type={type} {...control} />;
}

export function Numeric({
  shape,
  value,
  onChange,
  ...rest
}: Common & { shape: Extract<Shape, { kind: 'number' }> }) {
  return (
    <TextField
      {...rest}
      type="number"
      inputMode={shape.whole ? 'numeric' : 'decimal'}
      step={shape.whole ? 1 : 'any'}
      min={shape.least}
      max={shape.most}
      value={typeof value === 'number' ? value : ''}
      onChange={event => onChange(event.target.value === '' ? undefined : Number(event.target.value))}
    />
  );
}

export function OneOf({ options, value, onChange, ...rest }: Common & { options: readonly Option[] }) {
  const chosen = options.findIndex(option => JSON.stringify(option.value) === JSON.stringify(value));
  return (
    <SelectField
      {...rest}
      value={chosen < 0 ? '' : chosen}
      onChange={event => onChange(options[Number(event.target.value || Number.NaN)]?.value)}
    >
      <option value="">{rest.required ? 'choose one' : 'none'}</option>
      {options.map(({ label }, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: options have no other identity; several may look the same
        <option key={index} value={index}>
          {label}
        </option>
      ))}
    </SelectField>
  );
}

export function SomeOf({ options, value, onChange, label, help }: Common & { options: readonly Option[] }) {
  const chosen = Array.isArray(value) ? value : [];
  const has = (option: Option) => chosen.some(each => JSON.stringify(each) === JSON.stringify(option.value));
  const toggle = (option: Option) =>
    onChange(options.filter(each => has(each) !== (each === option)).map(each => each.value));
  return (
    <Group legend={label}>
      {help !== undefined && <p className="field-help">{help}</p>}
      {options.map((option, index) => (
        <Choice
          // biome-ignore lint/suspicious/noArrayIndexKey: as above
          key={index}
          label={option.label}
          checked={has(option)}
          onChange={() => toggle(option)}
        />
      ))}
    </Group>
  );
}

/** Any value at all, as JSON. */
export function JsonField({ value, onChange, ...rest }: Common & { rows?: number }) {
  const [text, setText] = useState(() => (value === undefined ? '' : JSON.stringify(value, null, 2)));
  return (
    <TextArea
      rows={2}
      {...rest}
      code
      value={text}
      placeholder="JSON"
      onChange={event => {
        const { target } = event;
        setText(target.value);
        const read = readJson(target.value);
        target.setCustomValidity('problem' in read ? read.problem : '');
        if (!('problem' in read)) onChange(read.value);
      }}
    />
  );
}

function readJson(text: string): { value: Json | undefined } | { problem: string } {
  if (text.trim() === '') return { value: undefined };
  try {
    return { value: JSON.parse(text) as Json };
  } catch (error) {
    return { problem: `This is no JSON: ${(error as Error).message}` };
  }
}
