import { Link } from '../../router/router.tsx';
import { pageOf } from '../terminals/terminal-api.ts';
import { useTerminals } from '../terminals/use-terminals.ts';

/** What of mine runs at this upstream: each a way back to it. */
export function MyTerminals({ upstream }: { upstream: string }) {
  const { data } = useTerminals();
  const running = data?.running.filter(terminal => terminal.upstream === upstream) ?? [];
  if (running.length === 0) return null;
  return (
    <p className="small">
      Running:{' '}
      {running.map(({ id }, index) => (
        <span key={id}>
          {index > 0 && ', '}
          <Link to={pageOf(upstream, id)}>terminal {index + 1}</Link>
        </span>
      ))}
    </p>
  );
}
