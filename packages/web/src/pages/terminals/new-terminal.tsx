import { useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Course, CourseLevel, Courses } from '../../design/course.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Tag } from '../../design/mark.tsx';
import { Failure } from '../../design/state.tsx';
import { useAct } from '../../live/act.ts';
import type { TerminalName } from './sessions.ts';
import { createTerminal, type TerminalUpstream } from './terminal-api.ts';
import { started } from './use-terminals.ts';

interface Props {
  upstreams: readonly TerminalUpstream[];
  nameOf: (upstream: string) => string;
  onStarted: (terminal: TerminalName) => void;
}

/** One click where there is one server to choose. */
export function NewTerminal({ upstreams, nameOf, onStarted }: Props) {
  const [asking, ask] = useState(false);
  const act = useAct();
  const start = (upstream: string) =>
    act.run(
      async () => {
        const terminal = await createTerminal(upstream);
        started(terminal);
        onStarted(terminal);
        ask(false);
      },
      `A terminal on ${nameOf(upstream)} was started.`,
    );
  const only = upstreams.length === 1 ? upstreams[0] : undefined;
  return (
    <>
      <Button
        look="quiet"
        busy={act.busy}
        aria-label="New terminal"
        onClick={() => (only === undefined ? ask(true) : void start(only.id))}
      >
        <span>
          New<span className="more"> terminal</span>
        </span>
      </Button>
      {(asking || act.error !== null) && (
        <Dialog
          title="New terminal"
          onClose={() => {
            act.clear();
            ask(false);
          }}
        >
          {act.error !== null && <Failure error={act.error} />}
          <CourseLevel value="h3">
            <UpstreamList
              upstreams={upstreams}
              nameOf={nameOf}
              busy={act.busy}
              onStart={id => void start(id)}
            />
          </CourseLevel>
        </Dialog>
      )}
    </>
  );
}

/** Where a terminal may be started, and what is to be known of each place before. */
export function UpstreamList(props: {
  upstreams: readonly TerminalUpstream[];
  nameOf: (upstream: string) => string;
  busy: boolean;
  onStart: (upstream: string) => void;
}) {
  return (
    <Courses label="Where a terminal may run">
      {props.upstreams.map(upstream => (
        <Course
          key={upstream.id}
          title={props.nameOf(upstream.id)}
          marks={
            <>
              {upstream.embedded && <Tag>On the gateway's machine</Tag>}
              {upstream.recording && <Tag>Recorded</Tag>}
            </>
          }
          actions={
            <Button
              look="solid"
              busy={props.busy}
              aria-label={`New terminal on ${props.nameOf(upstream.id)}`}
              onClick={() => props.onStart(upstream.id)}
            >
              New terminal
            </Button>
          }
        />
      ))}
    </Courses>
  );
}
