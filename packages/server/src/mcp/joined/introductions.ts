import type { Upstream } from '../../terms/upstream.ts';
import { isObject, type Params } from '../json-rpc.ts';
import { prefixOf } from './names.ts';

/** Which tools, prompts and resources there are depends on which servers are there, so those lists may change at any time. */
const CHANGING = { listChanged: true };

/** What a server may have that is not known yet. */
export const everything: Params = {
  tools: CHANGING,
  prompts: CHANGING,
  resources: { ...CHANGING, subscribe: true },
  completions: {},
  logging: {},
};

/** What servers can do, as one that can do all of it. */
export function together(all: readonly Params[]): Params {
  const some = (name: string) => all.some(one => isObject(one[name]));
  const subscribe = all.some(({ resources }) => isObject(resources) && resources['subscribe'] === true);
  return {
    tools: CHANGING,
    ...(some('prompts') && { prompts: CHANGING }),
    ...(some('resources') && { resources: { ...CHANGING, ...(subscribe && { subscribe }) } }),
    ...(some('completions') && { completions: {} }),
    logging: {},
  };
}

/** What servers say about their use, each under the name that its tools begin with. */
export function instructionsOf(
  all: readonly { upstream: Upstream; instructions: unknown }[],
): string | undefined {
  const said = all.flatMap(({ upstream, instructions }) =>
    typeof instructions === 'string' && instructions !== ''
      ? [`# ${prefixOf(upstream.id)}\n${instructions}`]
      : [],
  );
  return said.length === 0 ? undefined : said.join('\n\n');
}
