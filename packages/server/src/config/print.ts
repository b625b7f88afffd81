import { Document, isScalar, type Pair, type Scalar } from 'yaml';
import { Secret } from '../platform/secret.ts';
import type { ReadConfig } from './config.ts';

const MASK = '[secret]';

/** The configuration as a file would have it, without any secret's value: `env:` and `file:` references stay, the rest is masked. */
export function printable(read: ReadConfig): Record<string, unknown> {
  return Object.fromEntries(
    read.options
      .filter(({ raw }) => raw !== undefined)
      .map(({ key, raw, value }) => [key, masked(key, raw, value)]),
  );
}

/** As YAML, each option with where its value comes from. */
export function printYaml(read: ReadConfig): string {
  const document = new Document(printable(read));
  for (const { key, source } of read.options) {
    const pair = (document.contents as unknown as { items: Pair<Scalar, Scalar>[] }).items.find(
      item => item.key.value === key,
    );
    if (pair === undefined) continue;
    if (isScalar(pair.value)) pair.value.comment = ` ${source}`;
    else pair.key.commentBefore = ` ${source}`;
  }
  return document.toString({ lineWidth: 0 });
}

/** Walks what was written beside what came of it: where a Secret came of it, its name is shown instead. */
function masked(key: string, raw: unknown, value: unknown): unknown {
  if (key === 'store') return typeof raw === 'string' ? withoutPassword(raw) : raw;
  if (value instanceof Secret) return value.toJSON();
  if (Array.isArray(value)) {
    if (value.some(element => element instanceof Secret))
      return value.map(element => masked('', null, element));
    return value.map((element, index) => masked('', Array.isArray(raw) ? raw[index] : element, element));
  }
  if (isPlain(raw) && isPlain(value)) {
    return Object.fromEntries(Object.keys(raw).map(name => [name, masked(name, raw[name], value[name])]));
  }
  return raw;
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function withoutPassword(store: string): string {
  const url = /^postgres/.test(store) ? URL.parse(store) : null;
  if (url === null) return store;
  if (url.password !== '') url.password = 'MASK';
  for (const name of url.searchParams.keys())
    if (/password|secret|token/i.test(name)) url.searchParams.set(name, 'MASK');
  return url.href.replaceAll('MASK', MASK);
}
