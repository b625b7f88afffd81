import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { answerWith, Refused } from './answers.ts';
import { createAttachments } from './attach.ts';
import { callerOf, namedBy } from './caller.ts';
import { callCommands } from './command-calls.ts';
import { createCommands } from './commands.ts';
import { createDirectories } from './directories.ts';
import { createFileServers } from './file-servers.ts';
import { createLauncher } from './launcher.ts';
import { OPENAPI } from './openapi.ts';
import { connectionPair } from './pair.ts';
import type { Clock, ShellSettings } from './settings.ts';
import { callTerminals } from './terminal-calls.ts';
import { createTerminals } from './terminals.ts';

/** A terminal server: open-terminal's calls and wire, for whoever has it in the same process. */
export interface Shells extends AsyncDisposable {
  /** A connection to it, on which HTTP/1.1 is spoken; nobody else can open one. */
  connect(): Duplex;
}

const CONFIG = { features: { terminal: true, notebooks: false, system: false } };
const TERMINAL = /^\/api\/terminals(?:\/([A-Za-z0-9_-]{1,100}))?$/;

/**
 * @param deps.key what callers show; null: whoever has a connection may call
 * @throws ShellSettingsError where this machine cannot do what the settings say
 */
export function createShells(deps: { settings: ShellSettings; key: string | null; clock: Clock }): Shells {
  const { settings, key, clock } = deps;
  const launcher = createLauncher({ settings, clock });
  const terminals = createTerminals({ settings, launcher, clock });
  const commands = createCommands({ settings, launcher, clock });
  const directories = createDirectories();
  const attachments = createAttachments({ terminals, key, clock });
  const files = createFileServers({ launcher, directories });

  async function call(req: IncomingMessage, res: ServerResponse): Promise<unknown> {
    const path = req.url!.split('?', 1)[0]!;
    if (path === '/health') return { status: 'ok' };
    if (path === '/api/config') return CONFIG;
    if (path === '/openapi.json') return OPENAPI;
    const caller = callerOf(req, key);
    const terminal = TERMINAL.exec(path);
    if (terminal !== null) return callTerminals({ terminals, directories }, req, caller, terminal[1] ?? null);
    const command = /^\/execute(?:\/(.+))?$/.exec(path);
    if (command !== null)
      return callCommands({ commands, directories, clock }, req, caller, command[1] ?? '');
    if (!path.startsWith('/files/')) throw new Refused(404, 'Not Found');
    files.call(req, res, caller);
    return undefined;
  }

  const server = createServer({ requestTimeout: 0, keepAliveTimeout: 0 }, (req, res) => {
    void answerWith(res, call(req, res));
  });
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy());
    const id = TERMINAL.exec(req.url!.split('?', 1)[0]!)?.[1];
    try {
      if (id === undefined) throw new Refused(404, 'Not Found');
      attachments.upgrade(req, socket, head, namedBy(req), id);
    } catch (error) {
      const status = error instanceof Refused ? error.status : 500;
      socket.end(`HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    }
  });
  server.on('clientError', (_error, socket) => socket.destroy());

  return {
    connect() {
      const [theirs, ours] = connectionPair();
      server.emit('connection', ours);
      return theirs;
    },
    async [Symbol.asyncDispose]() {
      attachments[Symbol.dispose]();
      await Promise.all([terminals[Symbol.asyncDispose](), commands[Symbol.asyncDispose]()]);
      files[Symbol.dispose]();
      launcher[Symbol.dispose]();
    },
  };
}
