import { STREAM_WINDOW, TUNNEL_WINDOW } from './limits.ts';

/** What each call may have in flight while so many are under way, bytes: all together no more than their tunnel may. */
export function windowFor(calls: number): number {
  let window = STREAM_WINDOW;
  while (window * calls > TUNNEL_WINDOW) window /= 2;
  return window;
}

/** What is asked of a connection: Node's own does it as well as ours. */
export interface WindowedSession {
  /** Announces it for every stream (RFC 9113 section 6.9.2). */
  settings(settings: { initialWindowSize: number }): void;
  /** Whether the other end has still to confirm what was announced. */
  readonly pendingSettingsAck: boolean;
  readonly closed?: boolean;
  readonly destroyed: boolean;
  /** It has. */
  on(event: 'localSettings', listener: () => void): unknown;
}

/**
 * Divides a tunnel's window among its calls. Both ends give the connection's window back for whatever comes, read or not (so that one reader
 * holds up no other), which leaves the windows of the streams as all that bounds what lies here unread. They are narrowed as soon as there
 * are too many calls for them, and widened when half of those are left.
 * @returns to be told how many calls are under way, whenever that changes
 */
export function shareWindow(session: WindowedSession): (calls: number) => void {
  let announced = STREAM_WINDOW;
  let calls = 0;

  function adjust(): void {
    const wanted = windowFor(calls);
    if (wanted === announced || (wanted > announced && windowFor(2 * calls) <= announced)) return;
    // One change at a time: the other end has to confirm each (RFC 9113 section 6.5.3).
    if (session.pendingSettingsAck || session.closed || session.destroyed) return;
    announced = wanted;
    session.settings({ initialWindowSize: wanted });
  }

  session.on('localSettings', adjust);
  return now => {
    calls = now;
    adjust();
  };
}
