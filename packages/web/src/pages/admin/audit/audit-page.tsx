import { useState } from 'react';
import { ButtonLink } from '../../../design/button.tsx';
import { Page } from '../../../shell/page.tsx';
import { AuditFilter, type Filter, filterQuery, NO_FILTER } from './audit-filter.tsx';
import { AuditLog } from './audit-log.tsx';

/** Every act on identity, grants, keys and upstreams: who, what, when, from where, by which credential. */
export function AuditPage() {
  const [filter, setFilter] = useState<Filter>(() => ({
    ...NO_FILTER,
    ...Object.fromEntries(new URLSearchParams(location.search)),
  }));
  const query = filterQuery(filter);
  const apply = (next: Filter) => {
    setFilter(next);
    // The address carries the filter, so that a finding can be shared; it is no step of its own in the history.
    history.replaceState(null, '', `/admin/audit${next === NO_FILTER ? '' : `?${filterQuery(next)}`}`);
  };
  return (
    <Page
      title="Audit"
      lead="Who did what, when, from where, and by which credential."
      actions={
        <ButtonLink
          href={`/api/v1/audit/export${query === '' ? '' : `?${query}`}`}
          download="sallyport-audit.jsonl"
        >
          Export as JSON Lines
        </ButtonLink>
      }
    >
      <AuditFilter filter={filter} onApply={apply} />
      <AuditLog key={query} query={query} />
    </Page>
  );
}
