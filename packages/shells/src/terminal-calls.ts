import type { IncomingMessage } from 'node:http';
import { Query, Refused, readJson } from './answers.ts';
import type { Caller } from './caller.ts';
import type { Directories } from './directories.ts';
import type { Shell } from './shell.ts';
import type { Terminals } from './terminals.ts';

const shown = ({ id, createdAt, pid, attached }: Shell) => ({
  id,
  created_at: createdAt.toISOString(),
  pid,
  attached,
});
const notFound = () => new Refused(404, 'Session not found', 'error');

/** `/api/terminals` and what is below. @param id null: of all @throws Refused */
export async function callTerminals(
  deps: { terminals: Terminals; directories: Directories },
  req: IncomingMessage,
  caller: Caller,
  id: string | null,
): Promise<unknown> {
  const { terminals, directories } = deps;
  if (id === null && req.method === 'GET') return terminals.list(caller.user).map(shown);
  if (id === null && req.method === 'POST') {
    const body = await readJson(req);
    const query = new Query(req.url!);
    const cwd = body['cwd'] ?? query.text('cwd') ?? directories.of(caller);
    const { attached: _attached, ...made } = shown(
      terminals.create(caller, {
        cols: body['cols'] ?? query.number('cols', 1, 1_000),
        rows: body['rows'] ?? query.number('rows', 1, 1_000),
        cwd: typeof cwd === 'string' && cwd.startsWith('/') ? cwd : null,
      }),
    );
    return made;
  }
  const shell = id === null ? null : terminals.find(caller.user, id);
  if (shell === null) throw notFound();
  if (req.method === 'GET') return shown(shell);
  if (req.method !== 'DELETE') throw new Refused(405, 'Method not allowed', 'error');
  await shell.end();
  return { status: 'deleted' };
}
