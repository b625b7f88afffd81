import type { HomeUpstream, List } from '../../api/types.ts';
import { Courses } from '../../design/course.tsx';
import { Empty, Loaded } from '../../design/state.tsx';
import { useResource } from '../../live/resource.ts';
import { Link } from '../../router/router.tsx';
import { useMe } from '../../session/me.tsx';
import { Page } from '../../shell/page.tsx';
import { ComeBack } from './come-back.tsx';
import { UpstreamCourse } from './upstream-course.tsx';

/** What I may use, whether it is ready for me, and how to use it. */
export function HomePage() {
  const upstreams = useResource<List<HomeUpstream>>('/api/v1/home', [
    'upstreams',
    'providers',
    'grants',
    'health',
  ]);
  return (
    <Page
      title="Upstreams I may use"
      lead="Each one receives a fresh credential of yours. Your programs hold only a gateway key."
    >
      <ComeBack />
      <Loaded of={upstreams}>
        {({ items }) => (items.length === 0 ? <NoUpstreams /> : <Upstreams items={items} />)}
      </Loaded>
    </Page>
  );
}

function Upstreams({ items }: { items: HomeUpstream[] }) {
  return (
    <Courses label="Upstreams I may use">
      {items.map(upstream => (
        <UpstreamCourse key={upstream.id} upstream={upstream} />
      ))}
    </Courses>
  );
}

function NoUpstreams() {
  const me = useMe();
  return (
    <Empty title="There is nothing behind the gate for you yet.">
      {!me.user.admin &&
        'Ask an admin which upstreams your team uses; they appear here as soon as you may use them.'}
      {me.user.admin && (
        <>
          <Link to="/admin/upstreams">Add the first upstream</Link>: a model API, a tool server, or any HTTP
          service.
        </>
      )}
    </Empty>
  );
}
