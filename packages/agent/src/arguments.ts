import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { SERVER_NAME } from '@sallyport/protocol/hello.ts';
import { type GatewaySettings, type ServedSettings, type Settings, SettingsError } from './settings.ts';

const HELP = `sallyport-agent: brings a local server to a Sallyport gateway, from behind any NAT.

  sallyport-agent --gateway URL --name NAME --http URL     an MCP server over HTTP
  sallyport-agent --gateway URL --name NAME --web URL      any other HTTP server

  --gateway URL      the gateway's address
  --name NAME        what the server is to be called: you/NAME
  --title TEXT       its name for people
  --path PATH        let only this path of the server, and what is below it, through; may be repeated
  --key-file FILE    where the gateway key stands; default: the variable SALLYPORT_KEY
  --ca FILE          certificates of your own authority, PEM
  --json             log JSON lines
  --help, --version`;

export type Read =
  | { readonly text: string }
  | { readonly text: null; readonly settings: Settings; readonly warnings: readonly string[] };

/** What a person asks for, from flags and environment. @throws SettingsError */
export async function readArguments(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Read> {
  const { values } = parse(argv);
  if (values.help) return { text: HELP };
  const warnings: string[] = [];
  const served = servedOf(values);
  const gateway: GatewaySettings = {
    url: urlOf('--gateway', values.gateway ?? env['SALLYPORT_GATEWAY']),
    key: keyReader(values, env, warnings),
    servers: [served],
  };
  if (gateway.url.protocol === 'http:' && !isLoopback(gateway.url.hostname))
    throw new SettingsError('--gateway: over http:, the key would be sent for everyone to read; use https:');
  await gateway.key();
  return {
    text: null,
    warnings,
    settings: {
      gateways: [gateway],
      ca: values.ca === undefined ? null : await textOf('--ca', values.ca),
      json: values.json ?? false,
      health: null,
    },
  };
}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        gateway: { type: 'string' },
        name: { type: 'string' },
        title: { type: 'string' },
        http: { type: 'string' },
        web: { type: 'string' },
        path: { type: 'string', multiple: true },
        key: { type: 'string' },
        'key-file': { type: 'string' },
        ca: { type: 'string' },
        json: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new SettingsError(`${(error as Error).message}; --help says what there is`);
  }
}

type Values = ReturnType<typeof parse>['values'];

function servedOf(values: Values): ServedSettings {
  const { name, http, web } = values;
  if (name === undefined || !SERVER_NAME.test(name))
    throw new SettingsError('--name: expected lower case letters, digits, dots, dashes and underscores');
  if ((http === undefined) === (web === undefined))
    throw new SettingsError('say what is to be served: --http URL or --web URL');
  return {
    kind: http === undefined ? 'http' : 'mcp',
    name,
    title: values.title ?? null,
    description: null,
    url: http === undefined ? urlOf('--web', web) : urlOf('--http', http),
    allow: { tools: [], deniedTools: [], paths: values.path ?? [] },
  };
}

function keyReader(values: Values, env: NodeJS.ProcessEnv, warnings: string[]): () => Promise<string> {
  const { key, 'key-file': file } = values;
  if (key !== undefined) {
    warnings.push(
      '--key: everyone on this machine can see it; SALLYPORT_KEY or --key-file keep it to yourself',
    );
    return async () => key;
  }
  if (file !== undefined) return async () => (await textOf('--key-file', file)).trim();
  const fromEnv = env['SALLYPORT_KEY'];
  if (fromEnv === undefined || fromEnv === '')
    throw new SettingsError('there is no gateway key: set SALLYPORT_KEY or give --key-file');
  return async () => fromEnv;
}

function urlOf(flag: string, text: string | undefined): URL {
  const url = text === undefined ? null : URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol) || url.username !== '')
    throw new SettingsError(`${flag}: expected an http(s) URL`);
  return url;
}

async function textOf(flag: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new SettingsError(`${flag}: ${(error as Error).message}`);
  }
}

const isLoopback = (host: string): boolean =>
  host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127\./.test(host);
