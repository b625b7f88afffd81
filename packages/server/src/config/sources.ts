import {
  type Document,
  isCollection,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parse,
  parseDocument,
} from 'yaml';
import { flagOf, OPTIONS, type Option, variableOf } from './options.ts';
import { didYouMean, type Path, pathText } from './problems.ts';

/** A value as it was written, before any check. */
export interface Setting {
  readonly raw: unknown;
  /** For people: `sallyport.yaml`, `SALLYPORT_LISTEN`, `--listen`, `default`. */
  readonly source: string;
  /** The source of a part of it: `sallyport.yaml:12:5`. */
  at(path: Path): string;
}

/** What was given to the gateway, from strongest to weakest: flags, variables, the file. */
export interface Given {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: { readonly name: string; readonly text: string } | null;
}

export interface Sources {
  readonly settings: ReadonlyMap<string, Setting>;
  readonly problems: readonly string[];
}

/** Collects every option's value from where it beats the others. Defaults are not among them. */
export function readSources(given: Given): Sources {
  const problems: string[] = [];
  const settings = new Map<string, Setting>();
  for (const [key, setting] of given.file === null ? [] : readFileSettings(given.file, problems))
    settings.set(key, setting);
  for (const option of OPTIONS) {
    const fromEnv = readVariable(option, given.env, problems);
    if (fromEnv !== null) settings.set(option.key, fromEnv);
    const flag = given.flags[option.key];
    if (flag !== undefined) {
      const raw = option.form === 'list' && typeof flag === 'string' ? separated(flag) : flag;
      settings.set(option.key, whole(raw, `--${flagOf(option)}`));
    }
  }
  return { settings, problems };
}

const whole = (raw: unknown, source: string): Setting => ({ raw, source, at: () => source });

const separated = (text: string): string[] =>
  text
    .split(',')
    .map(part => part.trim())
    .filter(part => part !== '');

/** Kubernetes tells every container of each service by name; one called `sallyport` gives these. */
const SERVICE_LINK =
  /^SALLYPORT_(SERVICE_HOST|SERVICE_PORT(_.*)?|PORT(_\d+_(TCP|UDP)(_(PROTO|PORT|ADDR))?)?)$/;

/**
 * A variable of ours that means nothing is a slip of the hand, and the option it was to set has another value than its author thinks.
 * @param followed variables that some `env:NAME` spoke of; these may have any name
 */
export function unknownVariables(env: Given['env'], followed: ReadonlySet<string>): string[] {
  const known = new Set([
    'SALLYPORT_CONFIG',
    ...OPTIONS.flatMap(option => variablesOf(option).map(variable => variable.name)),
  ]);
  return Object.keys(env)
    .filter(
      name =>
        name.startsWith('SALLYPORT_') && !name.startsWith('SALLYPORT_TEST_') && !SERVICE_LINK.test(name),
    )
    .filter(name => !known.has(name) && !followed.has(name))
    .sort()
    .map(name => `${name}: unknown variable${didYouMean(name, [...known])}`);
}

/** The variables that set an option; a secret also by the name of a file that holds it. */
function variablesOf(option: Option): { name: string; isFile: boolean }[] {
  return [variableOf(option.key), ...(option.aliases ?? [])].flatMap(name => [
    { name, isFile: false },
    ...(option.secret ? [{ name: `${name}_FILE`, isFile: true }] : []),
  ]);
}

function readVariable(option: Option, env: Given['env'], problems: string[]): Setting | null {
  const given = variablesOf(option).flatMap(({ name, isFile }) => {
    const text = env[name];
    // An empty variable is how compose files say "not set"; an empty secret was meant to be one, and is refused when it is read.
    if (text === undefined || (text === '' && !option.secret)) return [];
    return [{ name, text: isFile ? `file:${text}` : text, isFile }];
  });
  const first = given[0];
  if (first === undefined) return null;
  const other = given.find(({ text }) => text !== first.text);
  if (other !== undefined) {
    problems.push(
      `${option.key}: ${first.name} and ${other.name} are both set, to different values; set one of them`,
    );
  }
  return whole(variableValue(option, first, problems), first.name);
}

function variableValue(
  option: Option,
  variable: { name: string; text: string; isFile: boolean },
  problems: string[],
): unknown {
  const { name, text } = variable;
  if (option.form === 'list') return separated(text);
  if (option.form === 'structured') {
    try {
      return parse(text);
    } catch {
      problems.push(`${option.key}: expected YAML or JSON (${name})`);
      return undefined;
    }
  }
  // A secret given by its variable is printed as that variable's name.
  const isReference = variable.isFile || /^(env|file):/.test(text) || option.key === 'store';
  return option.secret && !isReference ? `env:${name}` : text;
}

function readFileSettings(file: NonNullable<Given['file']>, problems: string[]): Map<string, Setting> {
  const settings = new Map<string, Setting>();
  const lines = new LineCounter();
  const document = parseDocument(file.text, { lineCounter: lines, prettyErrors: false });
  const position = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${file.name}:${line}:${col}`;
  };
  for (const error of document.errors)
    problems.push(`not YAML: ${error.message.split('\n')[0]} (${position(error.pos[0])})`);
  if (document.errors.length > 0 || document.contents === null) return settings;
  if (!isMap(document.contents)) {
    problems.push(`expected a mapping of options (${position(document.contents.range?.[0] ?? 0)})`);
    return settings;
  }
  const known = OPTIONS.map(option => option.key);
  for (const [key, raw] of Object.entries(document.toJS({ maxAliasCount: 100 }) as Record<string, unknown>)) {
    const at = (path: Path): string => position(offsetOf(document, path));
    if (!known.includes(key)) {
      problems.push(
        `${pathText([key])}: unknown key${didYouMean(key, known) || '; docs/configuration.md lists them'} (${at([key])})`,
      );
    } else if (raw !== null) {
      settings.set(key, { raw, source: file.name, at });
    }
  }
  return settings;
}

/** Where the key or element at a path begins, or the nearest part of the path that exists. */
function offsetOf(document: Document, path: Path): number {
  let node = document.contents as Node | null;
  let offset = node?.range?.[0] ?? 0;
  for (const step of path) {
    if (!isCollection(node)) break;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(step));
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value as Node | null;
    } else if (isSeq(node)) {
      const item = node.items[Number(step)] as Node | undefined;
      if (item === undefined) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    }
  }
  return offset;
}
