import {
  type InputHTMLAttributes,
  type ReactNode,
  type SelectHTMLAttributes,
  type TextareaHTMLAttributes,
  useId,
} from 'react';
import './field.css';

/** A label, its control, and a sentence that helps. */
function Field({
  label,
  help,
  children,
}: {
  label: string;
  help?: ReactNode;
  children: (ids: { id: string; 'aria-describedby'?: string }) => ReactNode;
}) {
  const id = useId();
  const helpId = `${id}-help`;
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children(help === undefined ? { id } : { id, 'aria-describedby': helpId })}
      {help !== undefined && (
        <p className="field-help" id={helpId}>
          {help}
        </p>
      )}
    </div>
  );
}

export function TextField({
  label,
  help,
  ...rest
}: { label: string; help?: ReactNode } & Omit<InputHTMLAttributes<HTMLInputElement>, 'id' | 'className'>) {
  return (
    <Field label={label} help={help}>
      {ids => <input className="control" autoComplete="off" spellCheck={false} {...ids} {...rest} />}
    </Field>
  );
}

/** Text of several lines: it grows with what is written. */
export function TextArea({
  label,
  help,
  code = false,
  ...rest
}: { label: string; help?: ReactNode; code?: boolean } & Omit<
  TextareaHTMLAttributes<HTMLTextAreaElement>,
  'id' | 'className'
>) {
  return (
    <Field label={label} help={help}>
      {ids => (
        <textarea
          className={code ? 'control area mono' : 'control area'}
          autoComplete="off"
          spellCheck={false}
          {...ids}
          {...rest}
        />
      )}
    </Field>
  );
}

export function SelectField({
  label,
  help,
  children,
  ...rest
}: { label: string; help?: ReactNode } & Omit<SelectHTMLAttributes<HTMLSelectElement>, 'id' | 'className'>) {
  return (
    <Field label={label} help={help}>
      {ids => (
        <select className="control" {...ids} {...rest}>
          {children}
        </select>
      )}
    </Field>
  );
}

/** A tick box or a radio with its sentence. */
export function Choice({
  label,
  help,
  type = 'checkbox',
  ...rest
}: { label: string; help?: ReactNode } & Omit<InputHTMLAttributes<HTMLInputElement>, 'id' | 'className'>) {
  const id = useId();
  return (
    <div className="choice">
      <input id={id} type={type} aria-describedby={help === undefined ? undefined : `${id}-help`} {...rest} />
      <div>
        <label htmlFor={id}>{label}</label>
        {help !== undefined && (
          <p className="field-help" id={`${id}-help`}>
            {help}
          </p>
        )}
      </div>
    </div>
  );
}

/** Several controls under one question. */
export function Group({ legend, children }: { legend: string; children: ReactNode }) {
  return (
    <fieldset className="group">
      <legend>{legend}</legend>
      {children}
    </fieldset>
  );
}

/** `a, b` → `['a', 'b']`. */
export function listOf(text: string): string[] {
  return text
    .split(/[\s,]+/)
    .map(part => part.trim())
    .filter(part => part !== '');
}

/** `a b, c` → `['a b', 'c']`: names that may have spaces in them. */
const namesOf = (text: string): string[] =>
  text
    .split(',')
    .map(name => name.trim())
    .filter(name => name !== '');

/** A list that a field showed joined by commas. Left as it was shown it is what it was, whatever characters its names are made of. */
export const keptList = (text: string, before: readonly string[], parse = namesOf): string[] =>
  text === before.join(', ').trim() ? [...before] : parse(text);
