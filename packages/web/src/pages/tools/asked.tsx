import { useState } from 'react';
import { Button } from '../../design/button.tsx';
import { Group } from '../../design/field.tsx';
import { Note } from '../../design/state.tsx';
import { isObject, type Json, type JsonObject } from './mcp-client.ts';
import { ToolForm } from './tool-form.tsx';

/** What a server asks while it is called (elicitation), one question after the other; the call goes on with the answers. */
export function Asked({
  result,
  onAnswer,
}: {
  result: JsonObject;
  onAnswer: (responses: JsonObject, requestState: Json | undefined) => void;
}) {
  const questions = Object.entries(isObject(result['inputRequests']) ? result['inputRequests'] : {});
  const [answers, setAnswers] = useState<JsonObject>({});
  const [key, question] = questions.find(([name]) => !Object.hasOwn(answers, name)) ?? [];
  if (key === undefined) return null;
  const answer = (response: JsonObject) => {
    const all = { ...answers, [key]: response };
    setAnswers(all);
    if (Object.keys(all).length === questions.length) onAnswer(all, result['requestState']);
  };
  const params = isObject(question) && isObject(question['params']) ? question['params'] : {};
  return (
    <Note tone="warn">
      <Group legend="The server asks">
        <p className="tool-description">{String(params['message'] ?? '')}</p>
        <ToolForm
          key={key}
          schema={params['requestedSchema']}
          onSubmit={content => answer({ action: 'accept', content })}
        >
          <div className="page-actions">
            <Button look="solid" type="submit">
              Answer
            </Button>
            <Button onClick={() => answer({ action: 'decline' })}>Decline</Button>
          </div>
        </ToolForm>
      </Group>
    </Note>
  );
}
