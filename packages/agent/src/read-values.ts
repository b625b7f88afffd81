import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import type { Isolation } from '@sallyport/protocol/hello.ts';
import { SettingsError } from './settings.ts';

/** @throws SettingsError */
export function urlOf(what: string, text: unknown): URL {
  if (text === undefined) throw new SettingsError(`${what} is missing; --help says what there is`);
  const url = URL.parse(String(text ?? ''));
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '')
    throw new SettingsError(`${what}: expected an http(s) URL`);
  return url;
}

/** A ContextForge client's address of a gateway (`wss://…/reverse-proxy/ws`) is the gateway's own, too. @throws SettingsError */
export const gatewayUrlOf = (what: string, text: unknown): URL =>
  urlOf(
    what,
    typeof text === 'string'
      ? text.replace(/^ws/, 'http').replace(/\/(v1\/)?reverse-proxy(\/ws)?\/?$/, '')
      : text,
  );

/** @throws SettingsError */
export function checkGateway(url: URL): void {
  const { hostname: host } = url;
  const here = host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127\./.test(host);
  if (url.protocol === 'http:' && !here)
    throw new SettingsError('gateway: over http:, the key would be sent for everyone to read; use https:');
}

/** `~/…` is the person's own directory, also where no shell says so. */
export const homed = (path: string): string =>
  path.startsWith('~/') ? join(homedir(), path.slice(2)) : path;

/** @throws SettingsError */
export async function textOf(what: string, path: string): Promise<string> {
  try {
    return await readFile(homed(path), 'utf8');
  } catch (error) {
    throw new SettingsError(`${what}: ${(error as Error).message}`);
  }
}

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** Milliseconds. @throws SettingsError */
export function durationOf(what: string, text: unknown): number {
  const match = /^(\d{1,6})(s|m|h)$/.exec(String(text));
  if (match === null) throw new SettingsError(`${what}: expected a time such as 30s, 10m or 1h`);
  return Number(match[1]) * UNITS[match[2]!]!;
}

/** @throws SettingsError */
export function isolationOf(what: string, text: unknown): Isolation {
  if (text === undefined) return 'shared';
  if (text === 'shared' || text === 'principal' || text === 'session') return text;
  throw new SettingsError(`${what}: expected shared, principal or session`);
}

/** @throws SettingsError */
export function addressOf(what: string, text: unknown): { host: string; port: number } {
  const match = /^(?:(.+):)?(\d{1,5})$/.exec(String(text));
  if (match === null) throw new SettingsError(`${what}: expected host:port`);
  return { host: match[1] ?? '127.0.0.1', port: Number(match[2]) };
}

/** @throws SettingsError */
export function countOf(what: string, text: unknown): number {
  if (!/^[1-9]\d{0,5}$/.test(String(text))) throw new SettingsError(`${what}: expected a number, 1 or more`);
  return Number(text);
}

type Mapping = Record<string, unknown>;

/** @throws SettingsError */
export function mapping(value: unknown, where: string): Mapping {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new SettingsError(`${where}: expected a mapping`);
  return value as Mapping;
}

/** A misspelled `denyTools` must not let everything through. @throws SettingsError */
export function only(value: unknown, where: string, known: ReadonlySet<string>): Mapping {
  const found = mapping(value, where);
  for (const key of Object.keys(found))
    if (!known.has(key)) throw new SettingsError(`${where}.${key}: there is no such key`);
  return found;
}
