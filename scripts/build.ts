/** What `npm start` runs first: the console and the server's bundle are made anew where their sources changed, or there is none yet. `--force` makes both. */
import { buildServer } from '../packages/server/build.ts';
import { buildConsole } from '../packages/web/build.ts';

const force = process.argv.includes('--force');
for (const [what, build] of [
  ['console', buildConsole],
  ['server', buildServer],
] as const) {
  const began = performance.now();
  if (await build({ force }))
    console.log(
      `${what} built in ${((performance.now() - began) / 1000).toFixed(1)} s (its sources had changed)`,
    );
}
