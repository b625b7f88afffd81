import { createContext, type ReactNode, useContext } from 'react';
import './course.css';

/** The heading level of things in a list: one below the heading they stand under. */
export const CourseLevel = createContext<'h2' | 'h3'>('h2');

/** A list as courses of stone: one thing a course, the same at every width. */
export function Courses({ label, children }: { label: string; children: ReactNode }) {
  return (
    <ul className="courses" aria-label={label}>
      {children}
    </ul>
  );
}

/** One thing in a list: what it is, what is known of it, what may be done with it. */
export function Course(props: {
  title: ReactNode;
  marks?: ReactNode;
  facts?: readonly Fact[];
  actions?: ReactNode;
  dim?: boolean;
  children?: ReactNode;
}) {
  const Heading = useContext(CourseLevel);
  return (
    <li className={props.dim === true ? 'course dim' : 'course'}>
      <div className="course-head">
        <Heading className="course-title">{props.title}</Heading>
        {props.marks !== undefined && <div className="course-marks">{props.marks}</div>}
      </div>
      {props.facts !== undefined && <Facts facts={props.facts} />}
      {props.children}
      {props.actions !== undefined && <div className="course-actions">{props.actions}</div>}
    </li>
  );
}

export type Fact = readonly [name: string, value: ReactNode];

export function Facts({ facts }: { facts: readonly Fact[] }) {
  return (
    <dl className="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
