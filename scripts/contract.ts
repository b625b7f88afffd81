/**
 * `npm run contract -- COMMAND ...`: starts an implementation of the tunnel's protocol (packages/protocol/PROTOCOL.md) as an agent against a real
 * gateway, and says which demands it meets. `{gateway}`, `{target}` and `{name}` in the command stand for what it has to know, the key is in
 * `SALLYPORT_KEY`.
 */
import { holdToContract, lineOf } from '../packages/server/test/contract/contract.ts';

const command = process.argv.slice(2);
if (command.length === 0) {
  console.error(
    'npm run contract -- COMMAND ...: the command that starts the agent; see packages/protocol/PROTOCOL.md',
  );
  process.exit(2);
}
const verdicts = await holdToContract(command, { told: verdict => console.log(lineOf(verdict)) });
const failed = verdicts.filter(({ problem }) => problem !== null).length;
console.log(`${verdicts.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
