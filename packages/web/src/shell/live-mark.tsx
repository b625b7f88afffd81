import { useLiveState } from '../live/events.ts';

const WORDS = { connecting: 'Connecting…', live: 'Live', lost: 'Reconnecting…' } as const;

/** Whether what is on show follows the gateway by itself. */
export function LiveMark() {
  const state = useLiveState();
  return (
    <p className={`live ${state}`}>
      <span className="live-lamp" aria-hidden="true" />
      {WORDS[state]}
      <span className="unseen">
        {state === 'live' ? ': lists update by themselves' : ': lists may be out of date'}
      </span>
    </p>
  );
}
