import { createConsequences } from './provider-consequences.ts';
import { createProviderEdits } from './provider-edits.ts';
import { createRetirement } from './retirement.ts';

type Deps = Omit<Parameters<typeof createProviderEdits>[0], 'retire'> &
  Parameters<typeof createRetirement>[0] &
  Parameters<typeof createConsequences>[0];

/** What admins may do to providers, what it costs the people who sign in there, and how that is brought about, joined. */
export function createProviderAdministration(deps: Deps) {
  const { retire, changed } = createRetirement(deps);
  return {
    edits: createProviderEdits({ ...deps, retire }),
    consequences: createConsequences(deps),
    /** To be told whenever the list of providers is another. */
    changed,
  };
}
