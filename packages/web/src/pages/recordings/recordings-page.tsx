import { useEffect, useState } from 'react';
import { Button, ButtonLink } from '../../design/button.tsx';
import { Confirm } from '../../design/confirm.tsx';
import { Course, Courses, type Fact } from '../../design/course.tsx';
import { Mark } from '../../design/mark.tsx';
import { Empty, Loaded } from '../../design/state.tsx';
import { Moment } from '../../design/time.tsx';
import { useResource } from '../../live/resource.ts';
import { useMe } from '../../session/me.tsx';
import { Page } from '../../shell/page.tsx';
import { sizeWords } from '../terminals/words.ts';
import { clockWords } from './playback.ts';
import { Player } from './player.tsx';
import { deleteRecording, pathOfRecording, RECORDINGS, type Recording } from './recordings-api.ts';

/** What was recorded in my terminals; for an admin, in everybody's. */
export default function RecordingsPage() {
  const recordings = useResource<{ recordings: Recording[] }>(RECORDINGS, ['recordings']);
  const nameOf = useNames();
  const [playing, play] = useChosen();
  const [deleting, ask] = useState<Recording | null>(null);
  return (
    <Page
      title="Recordings"
      lead="What was printed in terminals whose upstream records, sealed in the gateway's database. Keystrokes are not kept."
    >
      <Loaded of={recordings}>
        {({ recordings: items }) => {
          const chosen = items.find(({ id }) => id === playing);
          return (
            <>
              {chosen !== undefined && (
                <Player
                  key={chosen.id}
                  recording={chosen}
                  server={nameOf(chosen.upstream)}
                  onClose={() => play(null)}
                />
              )}
              {playing !== null && chosen === undefined && (
                <Empty title="This recording is gone.">
                  It was deleted, or is older than recordings are kept.
                </Empty>
              )}
              {items.length === 0 ? (
                <Empty title="Nothing was recorded.">
                  An admin may switch recording on for an upstream of terminals; such terminals say so.
                </Empty>
              ) : (
                <Courses label="Recordings">
                  {items.map(recording => (
                    <RecordingCourse
                      key={recording.id}
                      recording={recording}
                      server={nameOf(recording.upstream)}
                      onPlay={() => play(recording.id)}
                      onDelete={() => ask(recording)}
                    />
                  ))}
                </Courses>
              )}
            </>
          );
        }}
      </Loaded>
      {deleting !== null && (
        <Confirm
          title="Delete this recording?"
          verb="Delete"
          done="The recording was deleted."
          act={async () => {
            await deleteRecording(deleting.id);
            if (playing === deleting.id) play(null);
          }}
          onClose={() => ask(null)}
        >
          It is gone for everybody, and cannot be brought back. The audit keeps that it was there.
        </Confirm>
      )}
    </Page>
  );
}

interface CourseProps {
  recording: Recording;
  /** What people call it. */
  server: string;
  onPlay: () => void;
  onDelete: () => void;
}

function RecordingCourse(props: CourseProps) {
  const { recording, server } = props;
  const me = useMe();
  const mine = recording.user.id === me.user.id;
  const name = `${server}, ${new Date(recording.startedAt).toLocaleString('en-GB')}`;
  const facts: Fact[] = [['Began', <Moment key="b" at={recording.startedAt} />]];
  if (recording.endedAt !== null)
    facts.push([
      'Length',
      clockWords((Date.parse(recording.endedAt) - Date.parse(recording.startedAt)) / 1000),
    ]);
  facts.push(['Size', sizeWords(recording.bytes)]);
  if (!mine) facts.push(['Whose', recording.user.email ?? recording.user.id]);
  return (
    <Course
      title={server}
      marks={recording.endedAt === null ? <Mark tone="wait">Still running</Mark> : undefined}
      facts={facts}
      actions={
        <>
          <Button onClick={props.onPlay} aria-label={`Play ${name}`}>
            Play
          </Button>
          <ButtonLink
            href={pathOfRecording(recording.id)}
            download={`${recording.id}.cast`}
            aria-label={`Download ${name}`}
          >
            Download
          </ButtonLink>
          <Button look="danger" onClick={props.onDelete} aria-label={`Delete ${name}`}>
            Delete
          </Button>
        </>
      }
    />
  );
}

/** Names of the terminal servers; a server that is gone, or no longer for this person, has its id alone. */
function useNames(): (upstream: string) => string {
  const { data } = useResource<{ terminals: { id: string; name: string }[] }>('/terminals/', []);
  return upstream => data?.terminals.find(({ id }) => id === upstream)?.name ?? upstream;
}

function inAddress(): string | null {
  try {
    return location.hash === '' ? null : decodeURIComponent(location.hash.slice(1));
  } catch {
    return null;
  }
}

/** The recording on show stands in the address. */
function useChosen() {
  const [chosen, setChosen] = useState(inAddress);
  useEffect(() => {
    const look = () => setChosen(inAddress());
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);
  const choose = (id: string | null) => {
    history.replaceState(null, '', id === null ? location.pathname : `#${encodeURIComponent(id)}`);
    setChosen(id);
    if (id !== null) scrollTo(0, 0);
  };
  return [chosen, choose] as const;
}
