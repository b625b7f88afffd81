import { useState } from 'react';
import { type ApiError, asApiError } from '../api/client.ts';
import { announce } from './announce.tsx';

/** Something a person does: busy while it runs, its error kept for showing, its success spoken. */
export function useAct() {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  return {
    busy,
    error,
    clear: () => setError(null),
    /** @returns whether it worked */
    async run(work: () => Promise<unknown>, said?: string): Promise<boolean> {
      setBusy(true);
      setError(null);
      try {
        await work();
        if (said !== undefined) announce(said);
        return true;
      } catch (thrown) {
        setError(asApiError(thrown));
        return false;
      } finally {
        setBusy(false);
      }
    },
  };
}
