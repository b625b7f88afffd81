import {
  Agent,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from 'node:http';
import type { Duplex } from 'node:stream';
import { answerJson } from './answers.ts';
import type { Caller } from './caller.ts';
import { FILE_PROGRAM, OWN_SOURCE } from './confine.ts';
import { CWD_HEADER, type Directories } from './directories.ts';
import type { Launcher } from './launcher.ts';
import { endProcess } from './processes.ts';

/** File calls of one user at once, each by a program of its own; more of them wait. */
const AT_ONCE = 4;
/** A program that has had nothing to do for so long ends, milliseconds. */
const IDLE = 60_000;
const PASSED = ['accept', 'content-type', 'content-length', 'transfer-encoding'];

/** Does file calls by programs that run where the caller's shells run. */
export interface FileServers extends Disposable {
  call(req: IncomingMessage, res: ServerResponse, caller: Caller): void;
}

export function createFileServers(deps: { launcher: Launcher; directories: Directories }): FileServers {
  const { launcher, directories } = deps;
  const agents = new Map<string, Agent>();
  const program = [process.execPath, FILE_PROGRAM];
  const reads = [process.execPath, OWN_SOURCE];

  function agentOf(user: string): Agent {
    let agent = agents.get(user);
    if (agent === undefined) {
      agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE, timeout: IDLE });
      // A connection is a program: it is opened by starting one, and ends it by closing.
      agent.createConnection = () => open(user) as ReturnType<Agent['createConnection']>;
      agents.set(user, agent);
    }
    return agent;
  }

  function open(user: string): Duplex {
    const child = launcher.connected(program, user, reads);
    const connection = child.stdio[3] as Duplex;
    child.on('error', error => connection.destroy(error));
    child.on('exit', () => connection.destroy());
    connection.on('close', () => child.pid !== undefined && endProcess(-child.pid, 'SIGKILL'));
    return connection;
  }

  return {
    call(req, res, caller) {
      const headers: OutgoingHttpHeaders = { host: 'files' };
      for (const name of PASSED) if (req.headers[name] !== undefined) headers[name] = req.headers[name];
      const cwd = directories.of(caller);
      if (cwd !== null) headers[CWD_HEADER] = encodeURIComponent(cwd);
      const changes = req.method === 'POST' && /^\/files\/cwd(\?|$)/.test(req.url!);
      const inner = request({ agent: agentOf(caller.user), method: req.method, path: req.url, headers });
      res.on('close', () => inner.destroy());
      inner.on('error', () => answerJson(res, 502, { detail: 'The files cannot be reached.' }));
      inner.on('response', answer => {
        const { connection: _hop, 'keep-alive': _too, ...passed } = answer.headers;
        res.writeHead(answer.statusCode!, passed);
        if (changes && answer.statusCode === 200) void remember(answer, caller);
        answer.on('error', () => res.destroy());
        answer.pipe(res);
      });
      req.pipe(inner);
    },
    [Symbol.dispose]() {
      for (const agent of agents.values()) agent.destroy();
    },
  };

  async function remember(answer: IncomingMessage, caller: Caller): Promise<void> {
    const chunks: Buffer[] = [];
    answer.on('data', (chunk: Buffer) => chunks.push(chunk));
    answer.on('end', () => {
      const { cwd } = JSON.parse(Buffer.concat(chunks).toString('utf8')) as { cwd: string };
      directories.set(caller, cwd);
    });
  }
}
