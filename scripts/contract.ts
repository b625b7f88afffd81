/**
 * `npm run contract -- [OPTIONS] COMMAND ...`: starts an implementation of the tunnel's protocol (packages/protocol/PROTOCOL.md) as an agent against a
 * real gateway, and says which demands it meets. `{gateway}`, `{target}` and `{name}` in the command stand for what it has to know, the key is in
 * `SALLYPORT_KEY`.
 */
import { holdToContract, lineOf } from '../packages/server/test/contract/contract.ts';

const USAGE = `npm run contract -- [OPTIONS] COMMAND ...

COMMAND starts the agent as one that serves the HTTP server at {target} as {name} at {gateway}.
  --programs 'COMMAND ...'  starts it as one that serves the program {program}
  --limited 'COMMAND ...'   starts it as COMMAND does, and lets only the path /allowed through
  --pace N                  its clock runs N times as fast, and 30 s of silence are waited for as long
  --only TEXT               only demands that hold this text
See packages/protocol/PROTOCOL.md.`;

const OPTIONS = new Set(['--programs', '--limited', '--pace', '--only']);
const words = process.argv.slice(2);
const given: Record<string, string> = {};
while (OPTIONS.has(words[0] ?? '')) {
  const [option, value] = words.splice(0, 2);
  given[option!.slice(2)] = value ?? '';
}
const { programs, limited, pace = '1', only = '' } = given;
if (words.length === 0 || !(Number(pace) > 0)) {
  console.error(USAGE);
  process.exit(2);
}
const line = (name: string, text: string | undefined) =>
  text === undefined ? {} : { [name]: text.split(' ').filter(Boolean) };
const verdicts = await holdToContract(
  { usual: words, ...line('programs', programs), ...line('limited', limited) },
  {
    told: verdict => console.log(lineOf(verdict)),
    pace: Number(pace),
    only: new RegExp(RegExp.escape(only)),
  },
);
const failed = verdicts.filter(({ problem }) => problem !== null).length;
const left = verdicts.filter(({ lacks }) => lacks !== undefined).length;
console.log(
  `${verdicts.length - failed - left} passed, ${failed} failed${left > 0 ? `, ${left} were not looked at` : ''}`,
);
process.exitCode = failed > 0 ? 1 : 0;
