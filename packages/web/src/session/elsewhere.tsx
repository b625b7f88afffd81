import { useEffect } from 'react';

/** Leaves by a full load, so that nothing of what was on show stays in memory. */
export function Elsewhere({ to }: { to: string }) {
  useEffect(() => location.replace(to), [to]);
  return null;
}
