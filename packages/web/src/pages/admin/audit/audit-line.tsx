import type { AuditEntry } from '../../../api/types.ts';
import { Facts } from '../../../design/course.tsx';
import { Stamp } from '../../../design/time.tsx';
import { Link } from '../../../router/router.tsx';
import './audit.css';

/** Who may run commands where the gateway runs is nobody of its users. */
const whoDid = ({ user_label, user_id, credential_id }: AuditEntry): string =>
  user_label ?? user_id ?? (credential_id === 'command-line' ? 'at the command line' : 'nobody known');

/** A recording leads to where it is played. */
function Target({ action, target }: AuditEntry) {
  const name = <code>{target ?? 'none'}</code>;
  if (target === null || !action.startsWith('recording.')) return name;
  return <Link to={`/recordings#${encodeURIComponent(target)}`}>{name}</Link>;
}

/** One entry: a line that opens to the rest of what is known. */
export function AuditLine({ entry }: { entry: AuditEntry }) {
  const refused = /refused|failed|denied/.test(entry.action);
  return (
    <li>
      <details className="audit-line">
        <summary>
          <Stamp at={entry.at} />
          <strong className={refused ? 'audit-action refused' : 'audit-action'}>{entry.action}</strong>
          <span>{whoDid(entry)}</span>
          <span className="audit-target">{entry.target ?? ''}</span>
        </summary>
        <div className="audit-rest">
          <Facts
            facts={[
              ['From', entry.address ?? 'not told'],
              ['Credential', <code key="c">{entry.credential_id ?? 'none'}</code>],
              ['User', <code key="u">{entry.user_id ?? 'none'}</code>],
              ['Target', <Target key="t" {...entry} />],
              ['Entry', <code key="e">{entry.id}</code>],
              ...Object.entries(entry.detail ?? {}).map(
                ([name, value]) => [name.replaceAll('_', ' '), String(value)] as const,
              ),
            ]}
          />
        </div>
      </details>
    </li>
  );
}
