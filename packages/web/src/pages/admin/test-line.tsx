import { useState } from 'react';
import { api } from '../../api/client.ts';
import type { TestAnswer } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Mark } from '../../design/mark.tsx';
import { Failure } from '../../design/state.tsx';
import { useAct } from '../../live/act.ts';
import './test-line.css';

/** Tries the connection and says what came back. */
export function TestLine({ path, body, of }: { path: string; body: () => unknown; of: string }) {
  const act = useAct();
  const [answer, setAnswer] = useState<TestAnswer | null>(null);
  const test = () => act.run(async () => setAnswer(await api.post<TestAnswer>(path, body())));
  return (
    <div className="test-line">
      <Button
        look="quiet"
        busy={act.busy}
        onClick={() => void test()}
        aria-label={`Test the connection to ${of}`}
      >
        {act.busy ? 'Testing…' : 'Test the connection'}
      </Button>
      <div role="status">
        {answer !== null && !act.busy && act.error === null && <Said answer={answer} />}
      </div>
      {act.error !== null && <Failure error={act.error} />}
    </div>
  );
}

function Said({ answer }: { answer: TestAnswer }) {
  const numbers = [
    typeof answer.status === 'number' ? `status ${answer.status}` : null,
    typeof answer.took_ms === 'number' ? `${Math.round(answer.took_ms)} ms` : null,
  ].filter(part => part !== null);
  return (
    <div className="test-said">
      <Mark tone={answer.ok ? 'good' : 'bad'}>{answer.ok ? 'It answered' : 'It did not work'}</Mark>{' '}
      {numbers.length > 0 && <span className="small muted">{numbers.join(', ')}</span>}
      <p className="small">{answer.said}</p>
      {answer.hint !== null && (
        <p className="small">
          <strong>Do:</strong> {answer.hint}
        </p>
      )}
    </div>
  );
}
