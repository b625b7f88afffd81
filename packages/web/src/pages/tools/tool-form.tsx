import { type FormEvent, type ReactNode, useState } from 'react';
import { Choice } from '../../design/field.tsx';
import { isObject, type Json, type JsonObject } from './mcp-client.ts';
import { JsonField } from './plain-fields.tsx';
import { completed, initialObject, shapeOf } from './schema.ts';
import { ObjectFields } from './schema-field.tsx';

/** A form made from a JSON Schema, with JSON as the way out for what no form shows. */
export function ToolForm(props: {
  schema: Json | undefined;
  onSubmit: (value: JsonObject) => void;
  /** The buttons. */
  children: ReactNode;
}) {
  const root = props.schema ?? {};
  const shape = shapeOf(root, root);
  const drawable = shape.kind === 'object';
  const [raw, setRaw] = useState(!drawable);
  const [value, setValue] = useState<JsonObject>(() => initialObject(root, root));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    props.onSubmit(raw ? value : (completed(value, root, root) as JsonObject));
  };
  return (
    <form className="tool-form" onSubmit={submit}>
      {!raw && drawable && shape.fields.length === 0 && <p className="small muted">It asks for nothing.</p>}
      {!raw && drawable && (
        <ObjectFields fields={shape.fields} root={root} depth={0} value={value} onChange={setValue} />
      )}
      {raw && (
        <JsonField
          label="Arguments"
          help="One JSON object."
          required={false}
          rows={6}
          value={value}
          onChange={to => setValue(isObject(to) ? to : {})}
        />
      )}
      {drawable && (shape.fields.length > 0 || raw) && (
        <Choice
          label="Write the arguments as JSON"
          checked={raw}
          onChange={event => {
            setValue(completed(value, root, root) as JsonObject);
            setRaw(event.target.checked);
          }}
        />
      )}
      {props.children}
    </form>
  );
}
