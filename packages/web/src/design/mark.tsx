import type { ReactNode } from 'react';
import './mark.css';

export type Tone = 'good' | 'wait' | 'bad' | 'off';

/** Each state has a shape and a word; the colour only helps. */
const SHAPES: Record<Tone, ReactNode> = {
  good: <path d="M2 14V7a6 6 0 0 1 12 0v7z" />,
  wait: <path fillRule="evenodd" d="M2 14V7a6 6 0 0 1 12 0v7zm6-11a4 4 0 0 0-4 4v5h4z" />,
  bad: <path d="M8 1.2 15.2 14H.8zM7.2 5.6v4h1.6v-4zm0 5.2v1.6h1.6v-1.6z" fillRule="evenodd" />,
  off: <path fillRule="evenodd" d="M2 14V7a6 6 0 0 1 12 0v7zm2-2h8V7a4 4 0 0 0-8 0z" />,
};

export function Mark({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={`mark ${tone}`}>
      <svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true" focusable="false">
        {SHAPES[tone]}
      </svg>
      <span>{children}</span>
    </span>
  );
}

/** A short fact worn by a thing: its kind, a group, where it came from. */
export function Tag({ children }: { children: ReactNode }) {
  return <span className="tag">{children}</span>;
}
