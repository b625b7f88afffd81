import { useRef } from 'react';
import { Button } from '../../design/button.tsx';
import { Choice, Group } from '../../design/field.tsx';
import { isObject, type Json, type JsonObject } from './mcp-client.ts';
import { JsonField, Numeric, OneOf, SomeOf, Text } from './plain-fields.tsx';
import { initialObject, type NamedField, resolve, shapeOf } from './schema.ts';

/** Deeper than this an object shows its fields when it is asked for: a schema may hold itself. */
const OPEN_DEPTH = 1;

interface SchemaFieldProps {
  readonly name: string;
  readonly schema: Json;
  /** Where `$ref` looks. */
  readonly root: Json;
  readonly required: boolean;
  readonly depth: number;
  readonly value: Json | undefined;
  /** Undefined leaves it out. */
  readonly onChange: (value: Json | undefined) => void;
}

/** What a JSON Schema asks for, as fields. */
function SchemaField(props: SchemaFieldProps) {
  const { name, root, required, value, onChange } = props;
  const schema = resolve(props.schema, root);
  const shape = shapeOf(schema, root);
  const about = isObject(schema) ? schema : {};
  // A title that a reference leads to is that of a kind of thing, not of this one.
  const title = isObject(props.schema) ? props.schema['title'] : undefined;
  const label = typeof title === 'string' ? title : name;
  const help = typeof about['description'] === 'string' ? about['description'] : undefined;
  const common = {
    label: required ? label : `${label} (optional)`,
    required,
    ...(help !== undefined && { help }),
  };
  switch (shape.kind) {
    case 'text':
      return <Text {...common} type={shape.type} value={value} onChange={onChange} />;
    case 'number':
      return <Numeric {...common} shape={shape} value={value} onChange={onChange} />;
    case 'boolean':
      return (
        <Choice
          label={label}
          {...(help !== undefined && { help })}
          checked={value === true}
          onChange={event => onChange(event.target.checked)}
        />
      );
    case 'choice':
      return <OneOf {...common} options={shape.options} value={value} onChange={onChange} />;
    case 'choices':
      return <SomeOf {...common} options={shape.options} value={value} onChange={onChange} />;
    case 'list':
      return <ListField {...props} name={label} label={common.label} help={help} of={shape.of} />;
    case 'object':
      return <Nested {...props} label={common.label} help={help} fields={shape.fields} />;
    case 'json':
      return <JsonField {...common} value={value} onChange={onChange} />;
  }
}

function Nested(
  props: SchemaFieldProps & { label: string; help: string | undefined; fields: readonly NamedField[] },
) {
  const { label, help, fields, depth, required, value, onChange, root } = props;
  const open = value !== undefined || (required && depth <= OPEN_DEPTH);
  return (
    <Group legend={label}>
      {help !== undefined && <p className="field-help">{help}</p>}
      {open && (
        <div className="under">
          <ObjectFields
            fields={fields}
            root={root}
            depth={depth + 1}
            value={isObject(value) ? value : {}}
            onChange={onChange}
          />
        </div>
      )}
      {(!required || !open) && (
        <div>
          <Button
            look={open ? 'quiet' : 'plain'}
            onClick={() => onChange(open ? undefined : initialObject(props.schema, root))}
            aria-label={`${open ? 'Leave it out' : 'Fill it in'}: ${label}`}
          >
            {open ? 'Leave it out' : 'Fill it in'}
          </Button>
        </div>
      )}
    </Group>
  );
}

/** The fields of an object. */
export function ObjectFields(props: {
  fields: readonly NamedField[];
  root: Json;
  depth: number;
  value: JsonObject;
  onChange: (value: JsonObject) => void;
}) {
  const { fields, value } = props;
  const change = (name: string, to: Json | undefined) => {
    const { [name]: _, ...others } = value;
    props.onChange(to === undefined ? others : { ...others, [name]: to });
  };
  return fields.map(({ name, schema, required }) => (
    <SchemaField
      key={name}
      name={name}
      schema={schema}
      root={props.root}
      required={required}
      depth={props.depth}
      value={Object.hasOwn(value, name) ? value[name] : undefined}
      onChange={to => change(name, to)}
    />
  ));
}

/** A list of things of one kind, which grows and shrinks. */
function ListField(props: SchemaFieldProps & { label: string; help: string | undefined; of: Json }) {
  const { label, help, of, root, depth, onChange } = props;
  const items = Array.isArray(props.value) ? props.value : [];
  const ids = useRef<number[]>([]);
  const next = useRef(0);
  // Things in a list have no identity of their own: they keep their fields by the order in which they were added.
  while (ids.current.length < items.length) ids.current.push(next.current++);
  ids.current.length = items.length;
  const start = (): Json => {
    const shape = shapeOf(resolve(of, root), root);
    if (shape.kind === 'object') return initialObject(of, root);
    if (shape.kind === 'list' || shape.kind === 'choices') return [];
    return shape.kind === 'boolean' ? false : null;
  };
  const put = (index: number, to: Json | undefined) =>
    onChange(items.map((item, at) => (at === index ? (to ?? null) : item)));
  const drop = (index: number) => {
    ids.current.splice(index, 1);
    const left = items.filter((_, at) => at !== index);
    onChange(left.length === 0 ? undefined : left);
  };
  return (
    <Group legend={label}>
      {help !== undefined && <p className="field-help">{help}</p>}
      {items.map((item, index) => (
        <div key={ids.current[index]} className="under list-item">
          <SchemaField
            name={`${props.name} ${index + 1}`}
            schema={of}
            root={root}
            required
            depth={depth + 1}
            value={item === null ? undefined : item}
            onChange={to => put(index, to)}
          />
          <div>
            <Button look="quiet" onClick={() => drop(index)} aria-label={`Drop ${index + 1} of ${label}`}>
              Drop
            </Button>
          </div>
        </div>
      ))}
      <div>
        <Button onClick={() => onChange([...items, start()])} aria-label={`Add to ${label}`}>
          Add
        </Button>
      </div>
    </Group>
  );
}
