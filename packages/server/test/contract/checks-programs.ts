import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import { INSTANCE_HEADER, LINE_BYTES, STDIO_PATH } from '@sallyport/protocol/limits.ts';
import { LineSplitter } from '@sallyport/protocol/lines.ts';
import type { Check } from './contract.ts';
import { answerOf, type BareTunnel } from './counterpart.ts';
import { NAME, type Stand } from './stand.ts';

interface Said {
  readonly id: number;
  /** Characters of the line that it read. */
  readonly heard: number;
  readonly said: string;
}

/** A program that an agent started for a stream. */
async function started(tunnel: BareTunnel, key = 'one', query = '') {
  const stream = tunnel.open(
    {
      ':method': 'POST',
      ':path': `/${NAME}${STDIO_PATH}${query}`,
      ':authority': 'tunnel',
      'content-type': 'application/x-ndjson',
      [INSTANCE_HEADER]: key,
    },
    false,
  );
  stream.on('error', () => {});
  const over = new Promise<number>(resolve => stream.on('close', () => resolve(stream.rstCode ?? 0)));
  const lines: Said[] = [];
  let news = () => {};
  const splitter = new LineSplitter(line => {
    lines.push(JSON.parse(line) as Said);
    news();
  });
  stream.on('data', (piece: Buffer) => void splitter.push(piece));
  const [head] = (await once(stream, 'response')) as [Record<string, unknown>];
  return {
    stream,
    head,
    over,
    say: (message: object) => stream.write(`${JSON.stringify(message)}\n`),
    async next(): Promise<Said> {
      while (lines.length === 0) await new Promise<void>(resolve => (news = resolve));
      return lines.shift()!;
    },
  };
}

/** A new agent that serves the program, met with nothing between. */
async function met(stand: Stand): Promise<BareTunnel> {
  stand.start({ as: 'programs', gateway: stand.counterpart.url });
  return stand.counterpart.next();
}

const reset = (stream: ClientHttp2Stream) => stream.destroy(new Error('cancelled'));

export const PROGRAMS: readonly Check[] = [
  {
    section: '6',
    claim:
      'a line of the request is a line of the program’s input, and one of its output a line of the answer',
    needs: 'programs',
    alone: true,
    async run(stand) {
      const { head, say, next } = await started(await met(stand));
      assert.deepEqual([head[':status'], head['content-type']], [200, 'application/x-ndjson']);
      for (const id of [1, 2, 3]) {
        say({ id });
        assert.equal((await next()).id, id);
      }
    },
  },
  {
    section: '6',
    claim: 'lines of nearly 16 MiB pass, both ways',
    needs: 'programs',
    alone: true,
    async run(stand) {
      const { say, next } = await started(await met(stand));
      const most = LINE_BYTES - 1_024;
      say({ id: 1, fill: 'x'.repeat(most) });
      assert.ok((await next()).heard > most, 'what the program read');
      say({ id: 2, length: most });
      assert.equal((await next()).said.length, most, 'what it wrote');
    },
  },
  {
    section: '6',
    claim: 'when the stream ends, the program’s input closes, and the program ends',
    needs: 'programs',
    alone: true,
    async run(stand) {
      const { stream, say, next, over } = await started(await met(stand));
      say({ id: 1 });
      await next();
      stream.end();
      const [life] = stand.programs;
      assert.equal(await life!.over, 'input closed');
      await over;
    },
  },
  {
    section: '6',
    claim: 'when the stream is reset, the program ends',
    needs: 'programs',
    alone: true,
    async run(stand) {
      const { stream, say, next } = await started(await met(stand));
      say({ id: 1 });
      await next();
      reset(stream);
      await stand.programs[0]!.over;
    },
  },
  {
    section: '6',
    claim: 'when the program ends by itself, the stream is reset, not ended',
    needs: 'programs',
    alone: true,
    async run(stand) {
      const tunnel = await met(stand);
      const { say, next, over } = await started(tunnel);
      say({ id: 1 });
      await next();
      say({ id: 2, exit: 0 });
      assert.ok([2, 8].includes(await over), `RST_STREAM: it was ${await over}, expected 2 or 8`);
      // It ended soon after its start: a second one comes, later.
      const { say: again, next: then } = await started(tunnel);
      again({ id: 3 });
      assert.equal((await then()).id, 3, 'the program after it');
    },
  },
  {
    section: '6',
    claim: 'a second stream of a key takes the program’s place; one with ?probe=1 stands beside it',
    needs: 'programs',
    alone: true,
    async run(stand) {
      const tunnel = await met(stand);
      const first = await started(tunnel);
      const probe = await started(tunnel, 'probe', '?probe=1');
      for (const { say, next } of [first, probe]) {
        say({ id: 1 });
        assert.equal((await next()).id, 1);
      }
      reset(probe.stream);
      const second = await started(tunnel);
      assert.ok([2, 8].includes(await first.over), 'RST_STREAM of the first');
      second.say({ id: 2 });
      assert.equal((await second.next()).id, 2);
      assert.equal(stand.programs.length, 3, 'programs that were started');
      await stand.programs[0]!.over;
    },
  },
  {
    section: '8',
    claim: 'a line of more than 16 MiB ends its program, and nothing else',
    needs: 'programs',
    alone: true,
    async run(stand) {
      const tunnel = await met(stand);
      const { stream, say, over } = await started(tunnel);
      say({ id: 1, fill: 'x'.repeat(LINE_BYTES) });
      assert.notEqual(await over, 0, 'RST_STREAM');
      await stand.programs[0]!.over;
      assert.ok(stream.closed);
      const { say: again, next } = await started(tunnel);
      again({ id: 2 });
      assert.equal((await next()).id, 2);
    },
  },
  {
    section: '6',
    claim: 'of a server that is a program nothing else can be asked',
    needs: 'programs',
    alone: true,
    async run(stand) {
      const tunnel = await met(stand);
      for (const [method, path] of [
        ['GET', STDIO_PATH],
        ['POST', '/mcp'],
      ]) {
        const stream = tunnel.open({ ':method': method, ':path': `/${NAME}${path}` });
        const { status } = await answerOf(stream);
        assert.ok(status >= 400, `${method} ${path} was answered with ${status}`);
      }
      assert.equal(stand.programs.length, 0, 'programs that were started');
    },
  },
];
