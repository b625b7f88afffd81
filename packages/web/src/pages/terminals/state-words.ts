import type { LinkState } from './terminal-link.ts';

/** The state in words that stay the same while it lasts: a screen reader hears each once. */
export function stateWords(state: LinkState): string {
  switch (state.is) {
    case 'connecting':
      return 'Connecting…';
    case 'own':
      return 'Connected';
    case 'watching':
      return state.taken ? 'Another window has the keyboard' : 'Watching';
    case 'ended':
      return state.how === 'exited' ? 'Ended' : 'Disconnected';
    case 'waiting':
      return {
        lost: 'Connection lost',
        restarting: 'The gateway is restarting',
        offline: 'You are offline',
      }[state.why];
  }
}

export type Lamp = 'on' | 'wait' | 'off';

export function lampOf(state: LinkState): Lamp {
  if (state.is === 'own' || state.is === 'watching') return 'on';
  return state.is === 'ended' ? 'off' : 'wait';
}
