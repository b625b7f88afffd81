import { SERVER_NAME } from '@sallyport/protocol/hello.ts';
import { parse } from 'yaml';
import { refuseUnfit } from './fitting.ts';
import {
  countOf,
  durationOf,
  gatewayUrlOf,
  homed,
  isolationOf,
  mapping,
  only,
  textOf,
  urlOf,
} from './read-values.ts';
import { type GatewaySettings, type ServedSettings, SettingsError } from './settings.ts';

const SERVER_KEYS = new Set([
  'name',
  'title',
  'description',
  'http',
  'web',
  'terminal',
  'command',
  'cwd',
  'env',
  'isolate',
  'idle',
  'most',
  'allowTools',
  'denyTools',
  'paths',
]);

/** What a file holds, YAML or JSON. @throws SettingsError */
export async function parsedFile(path: string): Promise<unknown> {
  const text = await textOf('--config', path);
  try {
    return parse(text);
  } catch (error) {
    throw new SettingsError(`${path}: ${(error as Error).message}`);
  }
}

/**
 * `agent.yaml`: several gateways, and for each several servers.
 * @param key for gateways that name no file of their own
 * @throws SettingsError
 */
export async function gatewaysOf(
  file: unknown,
  path: string,
  key: (() => Promise<string>) | null,
): Promise<[GatewaySettings, ...GatewaySettings[]]> {
  const { gateways } = only(file, path, new Set(['gateways']));
  if (!Array.isArray(gateways) || gateways.length === 0)
    throw new SettingsError(`${path}: gateways: expected a list`);
  const found = gateways.map((one, index) => gatewayOf(one, `gateways[${index}]`, key));
  for (const gateway of found) await gateway.key();
  return found as [GatewaySettings, ...GatewaySettings[]];
}

function gatewayOf(value: unknown, where: string, fallback: (() => Promise<string>) | null): GatewaySettings {
  const { url, keyFile, servers } = only(value, where, new Set(['url', 'keyFile', 'servers']));
  const key =
    keyFile === undefined
      ? fallback
      : async () => (await textOf(`${where}.keyFile`, homed(String(keyFile)))).trim();
  if (key === null) throw new SettingsError(`${where}: there is no key: give keyFile or set SALLYPORT_KEY`);
  if (!Array.isArray(servers) || servers.length === 0)
    throw new SettingsError(`${where}.servers: expected a list`);
  const [first, ...rest] = servers.map((one, index) => servedOf(one, `${where}.servers[${index}]`));
  return { url: gatewayUrlOf(`${where}.url`, url), key, servers: [first!, ...rest] };
}

function servedOf(value: unknown, where: string): ServedSettings {
  const server = only(value, where, SERVER_KEYS);
  const { name, http, web, command } = server;
  if (typeof name !== 'string' || !SERVER_NAME.test(name))
    throw new SettingsError(`${where}.name: expected ${SERVER_NAME.source}`);
  const { terminal } = server;
  if (terminal !== undefined && terminal !== true)
    throw new SettingsError(`${where}.terminal: expected true`);
  if ([http, web, command, terminal].filter(way => way !== undefined).length !== 1)
    throw new SettingsError(`${where}: expected one of http, web, terminal and command`);
  const common = {
    name,
    title: server['title'] === undefined ? null : String(server['title']),
    description: server['description'] === undefined ? null : String(server['description']),
    allow: {
      tools: texts(server['allowTools'], `${where}.allowTools`),
      deniedTools: texts(server['denyTools'], `${where}.denyTools`),
      paths: texts(server['paths'], `${where}.paths`),
    },
  };
  const kind = terminal ? 'terminal' : http !== undefined ? 'mcp' : web !== undefined ? 'http' : 'stdio';
  refuseUnfit(kind, server, key => `${where}.${key}`);
  if (terminal) return { ...common, kind: 'terminal' };
  if (http !== undefined) return { ...common, kind: 'mcp', url: urlOf(`${where}.http`, http) };
  if (web !== undefined) return { ...common, kind: 'http', url: urlOf(`${where}.web`, web) };
  const words = texts(command, `${where}.command`).map(homed);
  if (words.length === 0) throw new SettingsError(`${where}.command: expected a list of words`);
  const env = server['env'] === undefined ? {} : mapping(server['env'], `${where}.env`);
  return {
    ...common,
    kind: 'stdio',
    command: words as [string, ...string[]],
    cwd: server['cwd'] === undefined ? null : homed(String(server['cwd'])),
    env: Object.fromEntries(Object.entries(env).map(([variable, text]) => [variable, String(text)])),
    isolate: isolationOf(`${where}.isolate`, server['isolate']),
    idle: durationOf(`${where}.idle`, server['idle'] ?? '10m'),
    most: countOf(`${where}.most`, server['most'] ?? 20),
  };
}

function texts(value: unknown, where: string): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw new SettingsError(`${where}: expected a list`);
  return value.map(String);
}
