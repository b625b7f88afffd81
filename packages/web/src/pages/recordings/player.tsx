import { useEffect, useRef, useState } from 'react';
import { type ApiError, asApiError } from '../../api/client.ts';
import { Button } from '../../design/button.tsx';
import { Choice, SelectField } from '../../design/field.tsx';
import { Failure } from '../../design/state.tsx';
import { createScreen } from '../terminals/screen.ts';
import { type Cast, readCast } from './cast.ts';
import { clockWords, createPlayback, type Playback } from './playback.ts';
import { pathOfRecording, type Recording } from './recordings-api.ts';
import './player.css';

const SPEEDS = [0.5, 1, 2, 4, 8] as const;

/** One recording with its time line. */
export function Player({
  recording,
  server,
  onClose,
}: {
  recording: Recording;
  /** What people call the server it was recorded on. */
  server: string;
  onClose: () => void;
}) {
  const [cast, setCast] = useState<Cast | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    const away = new AbortController();
    fetch(pathOfRecording(recording.id), { signal: away.signal })
      .then(async answer => {
        if (!answer.ok) throw new Error(`The gateway answered ${answer.status}.`);
        setCast(readCast(await answer.text()));
      })
      .catch(thrown => away.signal.aborted || setError(asApiError(thrown)));
    return () => away.abort();
  }, [recording.id]);
  return (
    <section className="player" aria-label={`Recording of ${server}`}>
      {error !== null && <Failure error={error} />}
      {cast === null && error === null && <p role="status">Fetching the recording…</p>}
      {cast !== null && <Stage cast={cast} onClose={onClose} />}
    </section>
  );
}

function Stage({ cast, onClose }: { cast: Cast; onClose: () => void }) {
  const place = useRef<HTMLDivElement>(null);
  const playback = useRef<Playback | null>(null);
  const [playing, setPlaying] = useState(true);
  const [position, setPosition] = useState(0);
  const [speed, setSpeed] = useState(1);
  const [cutPauses, setCutPauses] = useState(true);

  useEffect(() => {
    const host = place.current!;
    const screen = createScreen({ label: 'Recording', webgl: false, onLink: () => {} });
    const { term } = screen;
    term.options.disableStdin = true;
    const fit = () => fitWidth(screen, host);
    let here = true;
    void screen.mount(host).then(() => {
      if (!here) return;
      playback.current = createPlayback(cast, {
        // In their place among what is printed, which the terminal takes in later.
        reset: () => term.write('\x1bc'),
        resize: (cols, rows) =>
          term.write('', () => {
            term.resize(cols, rows);
            fit();
          }),
        write: text => term.write(text),
      });
    });
    const size = new ResizeObserver(fit);
    size.observe(host);
    return () => {
      here = false;
      size.disconnect();
      playback.current = null;
      screen.dispose();
    };
  }, [cast]);

  useEffect(() => {
    if (!playing) return;
    let before = performance.now();
    let frame = requestAnimationFrame(function step(now) {
      const play = playback.current;
      play?.advance(((now - before) / 1000) * speed, { cutPauses });
      before = now;
      setPosition(play?.position ?? 0);
      if (play?.over === true) setPlaying(false);
      else frame = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(frame);
  }, [playing, speed, cutPauses]);

  const seek = (time: number) => {
    playback.current?.seek(time);
    setPosition(playback.current?.position ?? 0);
  };
  const toggle = () => {
    if (!playing && playback.current?.over === true) seek(0);
    setPlaying(!playing);
  };
  return (
    <>
      <div ref={place} className="player-place" />
      <div className="player-line">
        <Button look="solid" onClick={toggle}>
          {playing ? 'Pause' : 'Play'}
        </Button>
        <input
          type="range"
          aria-label="Time"
          aria-valuetext={`${clockWords(position)} of ${clockWords(cast.length)}`}
          min={0}
          max={cast.length}
          step="any"
          value={position}
          onChange={event => seek(event.target.valueAsNumber)}
        />
        <span className="player-clock">
          {clockWords(position)} / {clockWords(cast.length)}
        </span>
      </div>
      <div className="player-ways">
        <SelectField label="Speed" value={speed} onChange={event => setSpeed(Number(event.target.value))}>
          {SPEEDS.map(times => (
            <option key={times} value={times}>
              {times} ×
            </option>
          ))}
        </SelectField>
        <Choice
          label="Cut long pauses"
          checked={cutPauses}
          onChange={event => setCutPauses(event.target.checked)}
        />
        <Button onClick={onClose}>Close</Button>
      </div>
    </>
  );
}

const LARGEST_FONT = 15;
const SMALLEST_FONT = 7;

/** A recording keeps its columns; the letters give way until they fit. */
function fitWidth(screen: ReturnType<typeof createScreen>, host: HTMLElement): void {
  const { term } = screen;
  const drawn = term.element?.querySelector<HTMLElement>('.xterm-screen')?.offsetWidth ?? 0;
  const { fontSize = LARGEST_FONT } = term.options;
  if (drawn === 0) return;
  const fits = Math.floor((fontSize * (host.clientWidth - 20)) / drawn);
  const size = Math.max(SMALLEST_FONT, Math.min(LARGEST_FONT, fits));
  if (size === fontSize) return;
  term.options.fontSize = size;
  // What was drawn in the old size is gone.
  requestAnimationFrame(() => term.refresh(0, term.rows - 1));
}
