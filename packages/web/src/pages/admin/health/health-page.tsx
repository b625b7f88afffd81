import type { HealthCheck } from '../../../api/types.ts';
import { Button } from '../../../design/button.tsx';
import { Course, Courses } from '../../../design/course.tsx';
import { Mark } from '../../../design/mark.tsx';
import { Loaded, Note } from '../../../design/state.tsx';
import { announce } from '../../../live/announce.tsx';
import { useResource } from '../../../live/resource.ts';
import { Page } from '../../../shell/page.tsx';

/** What `sallyport doctor` says. */
export function HealthPage() {
  const health = useResource<{ checks: HealthCheck[] }>('/api/v1/health', [
    'health',
    'upstreams',
    'providers',
  ]);
  return (
    <Page
      title="Health"
      lead={
        <>
          What <code>sallyport doctor</code> finds, and what to do about it.
        </>
      }
      actions={
        <Button
          onClick={() => {
            health.reload();
            announce('Checking again…');
          }}
        >
          Check again
        </Button>
      }
    >
      <Loaded of={health}>{({ checks }) => <Checks checks={checks} />}</Loaded>
    </Page>
  );
}

function Checks({ checks }: { checks: HealthCheck[] }) {
  const failing = checks.filter(check => !check.ok);
  const sorted = [...failing, ...checks.filter(check => check.ok)];
  return (
    <div className="section">
      <Note tone={failing.length === 0 ? 'good' : 'warn'}>
        <p>
          <strong>
            {failing.length === 0
              ? 'All is well.'
              : failing.length === 1
                ? 'One thing needs you.'
                : `${failing.length} things need you.`}
          </strong>{' '}
          {checks.length} checks ran.
        </p>
      </Note>
      <Courses label="Checks">
        {sorted.map(check => (
          <Course
            key={check.name}
            title={check.name}
            marks={<Mark tone={check.ok ? 'good' : 'bad'}>{check.ok ? 'Fine' : 'Failing'}</Mark>}
          >
            <p>{check.said}</p>
            {!check.ok && check.do !== null && (
              <p>
                <strong>Do:</strong> {check.do}
              </p>
            )}
          </Course>
        ))}
      </Courses>
    </div>
  );
}
