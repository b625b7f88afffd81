import { useEffect, useState } from 'react';
import { Button } from '../../design/button.tsx';
import type { Session } from './session.ts';
import type { LinkState } from './terminal-link.ts';

/** What stands between the person and the shell, and the way on. Nothing while all is well. */
export function StateBanner(props: { session: Session; state: LinkState; onClosed: () => void }) {
  const { session, state } = props;
  if (state.is === 'watching') {
    return (
      <div className="terminal-banner">
        <p>{state.taken ? 'Another window has the keyboard; this one watches.' : 'You are watching.'}</p>
        <Button onClick={session.take}>{state.taken ? 'Take back' : 'Take the keyboard'}</Button>
      </div>
    );
  }
  if (state.is === 'ended') {
    return (
      <div className="terminal-banner">
        <p>{state.said}</p>
        <span className="terminal-ways">
          {state.how === 'refused' && <Button onClick={session.take}>Try again</Button>}
          <Button onClick={props.onClosed}>Close the tab</Button>
        </span>
      </div>
    );
  }
  if (state.is === 'waiting' && state.until !== null) {
    return (
      <div className="terminal-banner wait">
        <p>
          {state.why === 'restarting' ? 'The gateway is restarting. ' : 'The connection was lost. '}
          <span aria-hidden="true">
            Next attempt <Countdown key={state.until} until={state.until} />.{' '}
          </span>
          What is printed meanwhile will be here.
        </p>
        <Button onClick={session.retry}>Try now</Button>
      </div>
    );
  }
  return null;
}

function Countdown({ until }: { until: number }) {
  const left = () => Math.max(0, Math.ceil((until - Date.now()) / 1000));
  const [seconds, setSeconds] = useState(left);
  useEffect(() => {
    const timer = setInterval(() => setSeconds(left()), 250);
    return () => clearInterval(timer);
  });
  return seconds === 0 ? 'now' : `in ${seconds} s`;
}
