import type { IncomingMessage } from 'node:http';
import { Query, Refused, readJson, textIn } from './answers.ts';
import type { Caller } from './caller.ts';
import type { Command, Commands } from './commands.ts';
import type { Directories } from './directories.ts';
import type { Clock } from './settings.ts';

/** A caller waits so long at most, seconds. */
const MOST_WAIT = 300;

/** `/execute` and what is below. @param rest `''`, `{id}`, `{id}/status`, `{id}/input` @throws Refused */
export async function callCommands(
  deps: { commands: Commands; directories: Directories; clock: Clock },
  req: IncomingMessage,
  caller: Caller,
  rest: string,
): Promise<unknown> {
  const { commands, directories, clock } = deps;
  const query = new Query(req.url!);
  const [id = '', what = ''] = rest.split('/');

  async function answered(command: Command, offset: number): Promise<unknown> {
    const wait = query.number('wait', 0, MOST_WAIT);
    const tail = query.number('tail', 1, Number.MAX_SAFE_INTEGER);
    if (wait !== null && command.endedAt === null) {
      const enough = new AbortController();
      req.on('close', () => enough.abort());
      await Promise.race([command.shell.ended, clock.sleep(wait * 1_000, enough.signal).catch(() => {})]);
      enough.abort();
    }
    return { ...command.shown, ...command.output(offset, tail) };
  }

  const call = `${req.method} ${id === '' ? '' : '{id}'}${what === '' ? '' : `/${what}`}`;
  switch (call) {
    case 'GET ':
      return commands.list(caller.user).map(command => command.shown);
    case 'POST ': {
      const body = await readJson(req);
      const command = textIn(body, 'command');
      const cwd = body['cwd'] ?? directories.of(caller);
      const place = { cwd: typeof cwd === 'string' && cwd.startsWith('/') ? cwd : null, env: envIn(body) };
      return answered(commands.run(caller, command, place), 0);
    }
    case 'GET {id}/status':
      return answered(
        commands.find(caller.user, id),
        query.number('offset', 0, Number.MAX_SAFE_INTEGER) ?? 0,
      );
    case 'POST {id}/input': {
      const command = commands.find(caller.user, id);
      if (command.endedAt !== null) throw new Refused(400, 'Process has already exited');
      command.shell.write(Buffer.from(unescaped(textIn(await readJson(req), 'input'))), () => {});
      return { status: 'ok' };
    }
    case 'DELETE {id}': {
      const command = commands.find(caller.user, id);
      if (command.endedAt === null) await command.kill(query.flag('force', false));
      commands.forget(command);
      return { status: 'killed' };
    }
    default:
      throw new Refused(id === '' || what !== '' ? 404 : 405, 'Not Found');
  }
}

function envIn({ env }: Readonly<Record<string, unknown>>): Record<string, string> {
  if (typeof env !== 'object' || env === null) return {};
  const found = Object.entries(env).filter(
    ([name, value]) =>
      /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && typeof value === 'string' && !value.includes('\0'),
  );
  return Object.fromEntries(found) as Record<string, string>;
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  a: '\x07',
  e: '\x1b',
};

/** Models write control characters as escapes, in text that was meant to hold the characters. */
const unescaped = (text: string): string =>
  text.replaceAll(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|([nrtbae\\]))/gi, (whole, x, u, one) => {
    const code = x ?? u;
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16));
    return one === '\\' ? '\\' : (ESCAPES[one as string] ?? (whole as string));
  });
