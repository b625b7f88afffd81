import type { ReactNode } from 'react';
import type { ApiError } from '../api/client.ts';
import type { Resource } from '../live/resource.ts';
import { Link, leave } from '../router/router.tsx';
import { Button } from './button.tsx';
import './state.css';

/** Shows a resource once it is there; until then that it is coming; when it fails, why and what to do. */
export function Loaded<T>({ of, children }: { of: Resource<T>; children: (data: T) => ReactNode }) {
  if (of.data === null) {
    return of.error === null ? <Loading /> : <Failure error={of.error} retry={of.reload} />;
  }
  return (
    <>
      {of.error !== null && <Failure error={of.error} retry={of.reload} stale />}
      {children(of.data)}
    </>
  );
}

export function Loading() {
  return (
    <div className="loading" role="status">
      <span className="unseen">Loading…</span>
      <span className="loading-stone" />
      <span className="loading-stone" />
      <span className="loading-stone" />
    </div>
  );
}

/** An error as the gateway told it, and the way on. */
export function Failure({
  error,
  retry,
  stale = false,
}: {
  error: ApiError;
  retry?: () => void;
  stale?: boolean;
}) {
  const action = error.action;
  return (
    <div className="failure" role="alert">
      <p>
        {stale && <strong>What you see may be out of date. </strong>}
        {error.message}
      </p>
      {(action !== null || retry !== undefined) && (
        <p className="failure-ways">
          {action !== null && <Button onClick={() => leave(action)}>Go and mend it</Button>}
          {retry !== undefined && <Button onClick={retry}>Try again</Button>}
        </p>
      )}
    </div>
  );
}

/** Nothing here yet, and what would change that. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {children !== undefined && <p className="muted">{children}</p>}
    </div>
  );
}

export function Note({
  tone = 'plain',
  children,
}: {
  tone?: 'plain' | 'good' | 'warn';
  children: ReactNode;
}) {
  return <div className={`note ${tone}`}>{children}</div>;
}

export function NotFound() {
  return (
    <Empty title="There is no such page.">
      It may have moved. <Link to="/">Go to your upstreams</Link>.
    </Empty>
  );
}
