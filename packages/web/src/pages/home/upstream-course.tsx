import type { HomeUpstream } from '../../api/types.ts';
import { ButtonLink } from '../../design/button.tsx';
import { Course, type Fact } from '../../design/course.tsx';
import { Mark, Tag, type Tone } from '../../design/mark.tsx';
import { Moment } from '../../design/time.tsx';
import { KIND_NAMES } from '../../design/words.ts';
import { Link } from '../../router/router.tsx';
import { MyTerminals } from './my-terminals.tsx';
import { Snippets } from './snippets.tsx';
import { StartTerminal } from './start-terminal.tsx';

const STATES: Record<HomeUpstream['state'], readonly [Tone, string]> = {
  ready: ['good', 'Ready'],
  connect: ['wait', 'Connect first'],
  failing: ['bad', 'Failing'],
  denied: ['off', 'Not for you'],
};

function actionOf({ id, name, kind, state, connect_url }: HomeUpstream) {
  if (state === 'connect' && connect_url !== null) {
    return (
      <ButtonLink look="solid" href={connect_url}>
        Connect
      </ButtonLink>
    );
  }
  return kind === 'terminal' && state === 'ready' ? <StartTerminal upstream={id} name={name} /> : undefined;
}

export function UpstreamCourse({ upstream }: { upstream: HomeUpstream }) {
  const [tone, word] = STATES[upstream.state];
  const facts: Fact[] = [['Address', <code key="a">{upstream.base_url}</code>]];
  if (upstream.models.length > 0) facts.push(['Models', <code key="m">{upstream.models.join(', ')}</code>]);
  if (upstream.failing_since !== null)
    facts.push(['Failing since', <Moment key="s" at={upstream.failing_since} />]);
  return (
    <Course
      title={upstream.name}
      marks={
        <>
          <Mark tone={tone}>{word}</Mark>
          <Tag>{KIND_NAMES[upstream.kind]}</Tag>
        </>
      }
      facts={facts}
      actions={actionOf(upstream)}
    >
      {upstream.kind === 'terminal' && <MyTerminals upstream={upstream.id} />}
      {upstream.detail !== null && upstream.state !== 'ready' && <p className="small">{upstream.detail}</p>}
      {upstream.kind === 'mcp' && upstream.state === 'ready' && (
        <p>
          <Link to={`/tools/${upstream.id}`}>Try its tools</Link>
        </p>
      )}
      {upstream.state !== 'denied' && (
        <details className="use">
          <summary>How to use {upstream.name}</summary>
          <Snippets upstream={upstream} />
        </details>
      )}
    </Course>
  );
}
