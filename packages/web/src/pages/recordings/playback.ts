import { type Cast, sizeOf } from './cast.ts';

/** With pauses cut, none is longer than this, in seconds. */
const LONGEST_PAUSE = 2;

/** Where a recording is played: what a playback needs of a terminal. */
export interface Stage {
  reset(): void;
  resize(cols: number, rows: number): void;
  write(text: string): void;
}

/** Plays a recording onto a stage. Time is the recording's own, in seconds; who calls `advance` makes it pass. */
export function createPlayback(cast: Cast, stage: Stage) {
  let position = 0;
  /** The first event that is not on the stage. */
  let next = 0;

  function begin(): void {
    next = 0;
    stage.reset();
    stage.resize(cast.cols, cast.rows);
  }

  function showUntil(time: number): void {
    let text = '';
    for (; next < cast.events.length && cast.events[next]!.at <= time; next++) {
      const { kind, data } = cast.events[next]!;
      if (kind === 'o') text += data;
      else {
        const size = sizeOf(data);
        if (size === null) continue;
        if (text !== '') stage.write(text);
        text = '';
        stage.resize(...size);
      }
    }
    if (text !== '') stage.write(text);
    position = time;
  }

  begin();
  return {
    get position(): number {
      return position;
    },
    get over(): boolean {
      return position >= cast.length;
    },
    /** Goes to a moment; backwards by playing from the beginning, at once. */
    seek(time: number): void {
      const wanted = Math.min(Math.max(time, 0), cast.length);
      if (wanted < position) begin();
      showUntil(wanted);
    },
    /** Lets so many seconds pass. */
    advance(seconds: number, options: { cutPauses: boolean }): void {
      let time = position + seconds;
      const ahead = cast.events[next];
      if (options.cutPauses && ahead !== undefined) time = Math.max(time, ahead.at - LONGEST_PAUSE);
      showUntil(Math.min(time, cast.length));
    },
  };
}

export type Playback = ReturnType<typeof createPlayback>;

/** `75` → `1:15`. */
export function clockWords(seconds: number): string {
  const whole = Math.floor(seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = String(whole % 60).padStart(2, '0');
  return hours > 0 ? `${hours}:${String(minutes).padStart(2, '0')}:${rest}` : `${minutes}:${rest}`;
}
