import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { SERVER_NAME } from '@sallyport/protocol/hello.ts';
import manifest from '../package.json' with { type: 'json' };
import { gatewaysOf, parsedFile } from './config-file.ts';
import { contextForgeFile, isContextForges, passedOver, wordsOf } from './contextforge.ts';
import { refuseUnfit } from './fitting.ts';
import { KEY_FILE, type LoginSettings } from './login.ts';
import {
  addressOf,
  checkGateway,
  countOf,
  durationOf,
  gatewayUrlOf,
  homed,
  isolationOf,
  textOf,
  urlOf,
} from './read-values.ts';
import { type GatewaySettings, type ServedSettings, type Settings, SettingsError } from './settings.ts';

const HELP = `sallyport-agent: brings a local server to a Sallyport gateway, from behind any NAT.

  sallyport-agent --gateway URL --name NAME -- COMMAND ...  an MCP server that is a program
  sallyport-agent --gateway URL --name NAME --http URL      an MCP server over HTTP
  sallyport-agent --gateway URL --name NAME --web URL       any other HTTP server
  sallyport-agent --gateway URL --terminal                  shells of this machine, to you
  sallyport-agent --config FILE                             several servers, several gateways
  sallyport-agent login --gateway URL                       get a key by your browser

  --gateway URL      the gateway's address; also SALLYPORT_GATEWAY
  --name NAME        what the server is to be called: you/NAME
  --title TEXT       its name for people
  --isolate WHOM     a program for each "principal" or "session"; default: one, "shared"
  --idle TIME        stop a program of one of them after so long without a message; default 10m
  --most N           programs at once, default 20
  --allow-tool NAME  let only this tool be called; may be repeated, * matches any run of characters
  --deny-tool NAME   let this tool not be called
  --path PATH        let only this path of an HTTP server, and what is below it, through
  --key-file FILE    where the gateway key stands; default: the variable
                     SALLYPORT_KEY, else where login left one
  --ca FILE          certificates of your own authority, PEM
  --health ADDRESS   answer GET /healthz on host:port
  --json             log JSON lines
  --version
  --help

The ContextForge client's flags, REVERSE_PROXY_GATEWAY, REVERSE_PROXY_TOKEN and its file (--config) are understood.`;

export type Read =
  | { readonly text: string; readonly login?: never }
  | { readonly text: null; readonly login: LoginSettings }
  | {
      readonly text: null;
      readonly login?: never;
      readonly settings: Settings;
      readonly warnings: readonly string[];
    };

/** What a person asks for, from flags, environment and file. @throws SettingsError */
export async function readArguments(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Read> {
  const isLogin = argv[0] === 'login';
  const { values, positionals } = parse(isLogin ? argv.slice(1) : argv);
  if (values.help) return { text: HELP };
  if (values.version) return { text: manifest.version };
  if (isLogin) {
    const gateway = gatewayUrlOf('--gateway', values.gateway ?? env['SALLYPORT_GATEWAY']);
    checkGateway(gateway);
    const ca = values.ca === undefined ? null : await textOf('--ca', values.ca);
    return { text: null, login: { gateway, ca, keyFile: values['key-file'] ?? KEY_FILE } };
  }
  const warnings = passedOver(values, env);
  const gateways = await gatewaysIn(values, positionals, env, warnings);
  for (const { url } of gateways) checkGateway(url);
  return {
    text: null,
    warnings,
    settings: {
      gateways,
      ca: values.ca === undefined ? null : await textOf('--ca', values.ca),
      json: values.json ?? false,
      health: values.health === undefined ? null : addressOf('--health', values.health),
    },
  };
}

function parse(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  const texts = { type: 'string', multiple: true } as const;
  const flag = { type: 'boolean' } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        gateway: text,
        name: text,
        title: text,
        http: text,
        web: text,
        terminal: flag,
        isolate: text,
        idle: text,
        most: text,
        'allow-tool': texts,
        'deny-tool': texts,
        path: texts,
        key: text,
        'key-file': text,
        ca: text,
        health: text,
        config: text,
        json: flag,
        version: flag,
        help: { type: 'boolean', short: 'h' },
        // ContextForge's; its way of coming back is not ours to set.
        'local-stdio': text,
        token: text,
        'reconnect-delay': text,
        'max-retries': text,
        keepalive: text,
        'log-level': text,
        verbose: { type: 'boolean', short: 'v' },
      },
    });
  } catch (error) {
    throw new SettingsError(`${(error as Error).message}; --help says what there is`);
  }
}

type Values = ReturnType<typeof parse>['values'];

/** What says which servers there are, where no file does. */
const ONE_SERVER = [
  'gateway',
  'name',
  'title',
  'http',
  'web',
  'terminal',
  'local-stdio',
  'isolate',
  'idle',
  'most',
  'allow-tool',
  'deny-tool',
  'path',
] as const;

async function gatewaysIn(
  values: Values,
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  warnings: string[],
): Promise<readonly GatewaySettings[]> {
  const { config: path } = values;
  if (path === undefined) return [await gatewayOf(values, command, env, warnings)];
  const file = await parsedFile(path);
  if (isContextForges(file)) {
    const { token, ...rest } = contextForgeFile(file, path);
    const named = env['SALLYPORT_GATEWAY'] ?? env['REVERSE_PROXY_GATEWAY'];
    const gateway = values.gateway ?? named ?? rest.gateway;
    return [await gatewayOf({ ...rest, ...values, gateway }, command, env, warnings, token)];
  }
  // A rule that the file does not know of would be passed over.
  const beside = command[0] === undefined ? ONE_SERVER.find(flag => values[flag] !== undefined) : '';
  if (beside !== undefined)
    throw new SettingsError(`--${beside}: the servers are those of ${path}; say it there`);
  return gatewaysOf(file, path, keyReader(values, env, warnings));
}

async function gatewayOf(
  values: Values,
  command: readonly string[],
  env: NodeJS.ProcessEnv,
  warnings: string[],
  filed?: string,
): Promise<GatewaySettings> {
  const named = values.gateway ?? env['SALLYPORT_GATEWAY'] ?? env['REVERSE_PROXY_GATEWAY'];
  const key = keyReader(values, env, warnings, filed);
  if (key === null)
    throw new SettingsError(
      'there is no gateway key: run sallyport-agent login, set SALLYPORT_KEY or give --key-file',
    );
  await key();
  return { url: gatewayUrlOf('--gateway', named), key, servers: [servedOf(values, command)] };
}

function servedOf(values: Values, positionals: readonly string[]): ServedSettings {
  const { http, web, 'local-stdio': local } = values;
  const command = local === undefined ? positionals : wordsOf(local);
  const named = values.name ?? (values.terminal ? 'shell' : undefined);
  const name = named ?? (local === undefined ? undefined : nameOf(command));
  if (name === undefined || !SERVER_NAME.test(name))
    throw new SettingsError('--name: expected lower case letters, digits, dots, dashes and underscores');
  const ways = [http, web, command[0], values.terminal].filter(way => way !== undefined);
  if (ways.length !== 1)
    throw new SettingsError('say what is to be served: --http URL, --web URL, --terminal, or -- COMMAND');
  const common = {
    name,
    title: values.title ?? null,
    description: null,
    allow: {
      tools: values['allow-tool'] ?? [],
      deniedTools: values['deny-tool'] ?? [],
      paths: values.path ?? [],
    },
  };
  const kind = values.terminal
    ? 'terminal'
    : http !== undefined
      ? 'mcp'
      : web !== undefined
        ? 'http'
        : 'stdio';
  refuseUnfit(kind, values, flag => `--${flag}`);
  if (values.terminal) return { ...common, kind: 'terminal' };
  if (http !== undefined) return { ...common, kind: 'mcp', url: urlOf('--http', http) };
  if (web !== undefined) return { ...common, kind: 'http', url: urlOf('--web', web) };
  return {
    ...common,
    kind: 'stdio',
    command: command as [string, ...string[]],
    cwd: null,
    env: {},
    isolate: isolationOf('--isolate', values.isolate),
    idle: durationOf('--idle', values.idle ?? '10m'),
    most: countOf('--most', values.most ?? 20),
  };
}

/** Null where none is named. @param filed of ContextForge's file */
function keyReader(
  values: Values,
  env: NodeJS.ProcessEnv,
  warnings: string[],
  filed?: string,
): (() => Promise<string>) | null {
  const { 'key-file': file } = values;
  const shown = values.key ?? values.token;
  if (shown !== undefined) {
    warnings.push(
      'a key on the command line can be seen by everyone on this machine; SALLYPORT_KEY or --key-file keep it to yourself',
    );
    return async () => shown;
  }
  if (file !== undefined) return async () => (await textOf('--key-file', homed(file))).trim();
  const key = env['SALLYPORT_KEY'] || env['REVERSE_PROXY_TOKEN'] || filed;
  if (key) return async () => key;
  return existsSync(KEY_FILE) ? async () => (await textOf(KEY_FILE, KEY_FILE)).trim() : null;
}

/** `uvx mcp-server-git` is `mcp-server-git`. */
function nameOf(command: readonly string[]): string {
  const last = command.findLast(word => /^[@a-zA-Z]/.test(word)) ?? 'server';
  return basename(last)
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]/g, '-')
    .slice(0, 63);
}
