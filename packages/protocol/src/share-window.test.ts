import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { test } from 'node:test';
import { MAX_STREAMS, TUNNEL_WINDOW } from './limits.ts';
import { shareWindow, windowFor } from './share-window.ts';

/** What was announced to the other end, which confirms when it is told to. */
class Session extends EventEmitter {
  readonly announced: number[] = [];
  pendingSettingsAck = false;
  closed = false;
  destroyed = false;

  settings({ initialWindowSize }: { initialWindowSize?: number }): void {
    this.announced.push(initialWindowSize! / 1024);
    this.pendingSettingsAck = true;
  }

  confirm(): void {
    this.pendingSettingsAck = false;
    this.emit('localSettings');
  }
}

test('all calls together never have more in flight than their tunnel may', () => {
  for (let calls = 1; calls <= MAX_STREAMS; calls++)
    assert.ok(windowFor(calls) * calls <= TUNNEL_WINDOW, String(calls));
  assert.deepEqual([1, 32, 33, 64, 65, 256].map(windowFor), [524288, 524288, 262144, 262144, 131072, 65536]);
});

test('windows narrow as soon as there are too many calls, and widen when half are left', () => {
  const session = new Session();
  const share = shareWindow(session as unknown as Parameters<typeof shareWindow>[0]);
  const at = (calls: number) => {
    share(calls);
    session.confirm();
  };
  for (const calls of [1, 32, 33, 64, 32, 17]) at(calls);
  assert.deepEqual(session.announced, [256]);
  at(16);
  assert.deepEqual(session.announced, [256, 512]);
});

test('what changes while the other end has not confirmed is announced when it has', () => {
  const session = new Session();
  const share = shareWindow(session as unknown as Parameters<typeof shareWindow>[0]);
  share(33);
  share(200);
  assert.deepEqual(session.announced, [256]);
  session.confirm();
  assert.deepEqual(session.announced, [256, 64]);
  session.destroyed = true;
  session.confirm();
  share(1);
  assert.deepEqual(session.announced, [256, 64]);
});
