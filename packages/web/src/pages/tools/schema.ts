import { isObject, type Json, type JsonObject } from './mcp-client.ts';

/** What a form shows for a JSON Schema. What it cannot show is written as JSON. */
export type Shape =
  | { readonly kind: 'text'; readonly type: 'email' | 'url' | 'date' | null }
  | { readonly kind: 'number'; readonly whole: boolean; readonly least?: number; readonly most?: number }
  | { readonly kind: 'boolean' }
  | { readonly kind: 'choice'; readonly options: readonly Option[] }
  | { readonly kind: 'choices'; readonly options: readonly Option[] }
  | { readonly kind: 'list'; readonly of: Json }
  | { readonly kind: 'object'; readonly fields: readonly NamedField[] }
  | { readonly kind: 'json' };

export interface Option {
  readonly value: Json;
  readonly label: string;
}

export interface NamedField {
  readonly name: string;
  readonly schema: Json;
  readonly required: boolean;
}

/** Schemas come from servers that nobody here knows: past these a form would be none, and JSON is written instead. */
const MOST_FIELDS = 100;
const MOST_OPTIONS = 500;
const MOST_REFERENCES = 20;

const JSON_SHAPE: Shape = { kind: 'json' };

/** @param root where `$ref` looks */
export function shapeOf(schema: Json | undefined, root: Json): Shape {
  const plain = resolve(schema, root);
  if (!isObject(plain)) return JSON_SHAPE;
  const options = optionsOf(plain);
  if (options !== null) return options.length > MOST_OPTIONS ? JSON_SHAPE : { kind: 'choice', options };
  switch (typeOf(plain)) {
    case 'string':
      return { kind: 'text', type: TYPES[String(plain['format'])] ?? null };
    case 'number':
    case 'integer':
      return {
        kind: 'number',
        whole: typeOf(plain) === 'integer',
        ...(typeof plain['minimum'] === 'number' && { least: plain['minimum'] }),
        ...(typeof plain['maximum'] === 'number' && { most: plain['maximum'] }),
      };
    case 'boolean':
      return { kind: 'boolean' };
    case 'array':
      return listOf(plain, root);
    case 'object':
      return objectOf(plain);
    default:
      return JSON_SHAPE;
  }
}

const TYPES: Record<string, 'email' | 'url' | 'date'> = { email: 'email', uri: 'url', date: 'date' };

function listOf({ items, uniqueItems, prefixItems }: JsonObject, root: Json): Shape {
  if (!isObject(items) || prefixItems !== undefined) return JSON_SHAPE;
  const of = shapeOf(items, root);
  if (of.kind === 'choice' && uniqueItems === true) return { kind: 'choices', options: of.options };
  return { kind: 'list', of: items };
}

function objectOf({ properties, required }: JsonObject): Shape {
  if (!isObject(properties)) return JSON_SHAPE;
  const fields = Object.entries(properties).map(([name, schema]) => ({
    name,
    schema,
    required: Array.isArray(required) && required.includes(name),
  }));
  return fields.length > MOST_FIELDS ? JSON_SHAPE : { kind: 'object', fields };
}

/** The schema that stands behind references, and behind "or null". */
export function resolve(schema: Json | undefined, root: Json): Json | undefined {
  let at = schema;
  for (let steps = 0; steps < MOST_REFERENCES; steps++) {
    if (!isObject(at)) return at;
    const next = behind(at, root);
    if (next === undefined) return at;
    // What stands beside a reference is said of it here.
    const { $ref, anyOf, oneOf, allOf, ...beside } = at;
    at = isObject(next) ? { ...next, ...beside } : next;
  }
  return undefined;
}

function behind(schema: JsonObject, root: Json): Json | undefined {
  if (typeof schema['$ref'] === 'string') return target(schema['$ref'], root) ?? null;
  const { allOf } = schema;
  if (Array.isArray(allOf) && allOf.length === 1) return allOf[0];
  const branches = schema['anyOf'] ?? schema['oneOf'];
  if (!Array.isArray(branches)) return undefined;
  const some = branches.filter(branch => !isObject(branch) || branch['type'] !== 'null');
  return some.length === 1 ? some[0] : undefined;
}

/** A JSON Pointer within the document (RFC 6901); nothing is fetched. */
function target(ref: string, root: Json): Json | undefined {
  if (!ref.startsWith('#')) return undefined;
  let at: Json | undefined = root;
  for (const part of ref.slice(1).split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    at = isObject(at) && Object.hasOwn(at, name) ? at[name] : undefined;
  }
  return at;
}

function typeOf({ type, properties }: JsonObject): string | null {
  if (typeof type === 'string') return type;
  if (Array.isArray(type)) {
    const some = type.filter(each => each !== 'null');
    return some.length === 1 ? String(some[0]) : null;
  }
  return isObject(properties) ? 'object' : null;
}

function optionsOf(schema: JsonObject): Option[] | null {
  const label = (value: Json) => (typeof value === 'string' ? value : JSON.stringify(value));
  if (schema['const'] !== undefined) return [{ value: schema['const'], label: label(schema['const']) }];
  const names = Array.isArray(schema['enumNames']) ? schema['enumNames'] : [];
  if (Array.isArray(schema['enum']))
    return schema['enum'].map((value, at) => ({
      value,
      label: typeof names[at] === 'string' ? names[at] : label(value),
    }));
  const branches = schema['oneOf'] ?? schema['anyOf'];
  if (!Array.isArray(branches) || branches.length === 0) return null;
  const options = branches.flatMap(branch => {
    if (!isObject(branch) || branch['const'] === undefined) return [];
    const { title } = branch;
    return [{ value: branch['const'], label: typeof title === 'string' ? title : label(branch['const']) }];
  });
  return options.length === branches.length ? options : null;
}

/** What the fields of an object start with: their defaults, and what is not a choice. */
export function initialObject(schema: Json | undefined, root: Json): JsonObject {
  const shape = shapeOf(schema, root);
  if (shape.kind !== 'object') return {};
  return Object.fromEntries(
    shape.fields.flatMap(({ name, schema: of, required }) => {
      const value = initialOf(of, required, root);
      return value === undefined || value === null ? [] : [[name, value] as const];
    }),
  );
}

function initialOf(schema: Json, required: boolean, root: Json): Json | undefined {
  const plain = resolve(schema, root);
  if (isObject(plain) && plain['default'] !== undefined) return plain['default'];
  const shape = shapeOf(plain, root);
  return required && shape.kind === 'choice' && shape.options.length === 1
    ? shape.options[0]!.value
    : undefined;
}

/** What was entered, with what must be there and needs nothing entered: a tick that was not made, an empty list. */
export function completed(value: Json, schema: Json | undefined, root: Json): Json {
  const shape = shapeOf(schema, root);
  if (shape.kind === 'list' && Array.isArray(value))
    return value.map(each => completed(each, shape.of, root));
  if (shape.kind !== 'object' || !isObject(value)) return value;
  const fields = shape.fields.flatMap(({ name, schema: of, required }) => {
    const entered = Object.hasOwn(value, name) ? value[name] : undefined;
    if (entered !== undefined) return [[name, completed(entered, of, root)] as const];
    const empty = required ? EMPTY[shapeOf(of, root).kind] : undefined;
    return empty === undefined ? [] : [[name, empty] as const];
  });
  return { ...value, ...Object.fromEntries(fields) };
}

const EMPTY: Partial<Record<Shape['kind'], Json>> = { boolean: false, list: [], choices: [], object: {} };
