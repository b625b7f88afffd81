/**
 * The program of the contract: reads and writes a JSON object a line, and tells the stand of its life. `node program.ts PORT`
 */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const journal = connect(Number(process.argv[2]), '127.0.0.1');
journal.on('error', () => process.exit(0));
journal.write('started\n');
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => process.exit(0));

const input = createInterface({ input: process.stdin });
input.on('line', line => {
  const { id, length, exit } = JSON.parse(line) as { id: number; length?: number; exit?: number };
  if (exit !== undefined) process.exit(exit);
  process.stdout.write(`${JSON.stringify({ id, heard: line.length, said: 'x'.repeat(length ?? 0) })}\n`);
});
input.on('close', () => {
  journal.end('input closed\n');
  process.exitCode = 0;
});
