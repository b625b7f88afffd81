import { type KeyboardEvent, type ReactNode, useId } from 'react';
import './tabs.css';

/** One of several things on show (the tabs pattern of the ARIA Authoring Practices: arrows move, one tab stop). */
export function Tabs(props: {
  label: string;
  names: readonly string[];
  /** Its place among the names. */
  chosen: number;
  onChoose: (index: number) => void;
  children: ReactNode;
}) {
  const { names, chosen, onChoose } = props;
  const id = useId();
  const move = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = (chosen + step + names.length) % names.length;
    onChoose(next);
    document.getElementById(`${id}-${next}`)?.focus();
  };
  return (
    <>
      <div className="tabs" role="tablist" aria-label={props.label} onKeyDown={move}>
        {names.map((name, index) => (
          <button
            key={name}
            id={`${id}-${index}`}
            type="button"
            role="tab"
            aria-selected={index === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={index === chosen ? 0 : -1}
            onClick={() => onChoose(index)}
          >
            {name}
          </button>
        ))}
      </div>
      <div className="tab-panel" role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`}>
        {props.children}
      </div>
    </>
  );
}
