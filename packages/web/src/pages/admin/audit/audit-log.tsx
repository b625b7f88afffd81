import { useCallback, useEffect, useRef, useState } from 'react';
import { type ApiError, api, asApiError } from '../../../api/client.ts';
import type { AuditEntry, AuditPage } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Choice } from '../../../design/field.tsx';
import { Empty, Failure } from '../../../design/state.tsx';
import { useAct } from '../../../live/act.ts';
import { onChange } from '../../../live/events.ts';
import { AuditLine } from './audit-line.tsx';
import { mergeNewest } from './merge-newest.ts';

const LIMIT = 50;
/** Many events close together are fetched as one. */
const SETTLE = 400;

/** The newest entries first; new ones join at the top while it follows, older ones on demand. */
export function AuditLog({ query }: { query: string }) {
  const [entries, setEntries] = useState<AuditEntry[] | null>(null);
  const [older, setOlder] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [follow, setFollow] = useState(true);
  const more = useAct();
  const shown = useRef<AuditEntry[]>([]);
  shown.current = entries ?? [];

  const fetchPage = useCallback(
    (before: string | null) => api.get<AuditPage>(pagePath(query, before)),
    [query],
  );

  const fetchNewest = useCallback(async () => {
    try {
      const page = await fetchPage(null);
      const merged = mergeNewest(page.items, shown.current);
      setEntries(merged.entries);
      // Where the fresh page does not reach what was on show, paging goes on from the fresh page.
      if (merged.gap) setOlder(page.next);
      setError(null);
    } catch (thrown) {
      setError(asApiError(thrown));
    }
  }, [fetchPage]);

  useEffect(() => void fetchNewest(), [fetchNewest]);

  useEffect(() => {
    if (!follow) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = onChange(topic => {
      if (topic !== 'audit' && topic !== 'everything') return;
      clearTimeout(timer);
      timer = setTimeout(() => void fetchNewest(), SETTLE);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }, [follow, fetchNewest]);

  const loadOlder = () =>
    more.run(async () => {
      const page = await fetchPage(older);
      setEntries([...shown.current, ...page.items]);
      setOlder(page.next);
    });

  return (
    <section className="section" aria-labelledby="entries">
      <header className="section-head">
        <h2 id="entries">Entries</h2>
        <Choice
          label="Follow live"
          checked={follow}
          onChange={event => {
            setFollow(event.target.checked);
            if (event.target.checked) void fetchNewest();
          }}
        />
      </header>
      {error !== null && <Failure error={error} retry={() => void fetchNewest()} stale={entries !== null} />}
      {entries?.length === 0 && (
        <Empty title="Nothing matches.">Widen the filter, or clear it to see everything.</Empty>
      )}
      {entries !== null && entries.length > 0 && (
        <ol className="audit-log" aria-label="Audit entries, newest first">
          {entries.map(entry => (
            <AuditLine key={entry.id} entry={entry} />
          ))}
        </ol>
      )}
      {more.error !== null && <Failure error={more.error} />}
      {older !== null && (
        <p>
          <Button busy={more.busy} onClick={() => void loadOlder()}>
            Show older entries
          </Button>
        </p>
      )}
    </section>
  );
}

function pagePath(query: string, before: string | null): string {
  const params = new URLSearchParams(query);
  params.set('limit', String(LIMIT));
  if (before !== null) params.set('before', before);
  return `/api/v1/audit?${params}`;
}
