import { type ReactNode, type RefObject, useEffect, useRef } from 'react';
import { CourseLevel } from '../design/course.tsx';

let first = true;

/** For the heading of a page: it takes the focus after a navigation, so that a screen reader starts there. */
export function useHeading(title: string): RefObject<HTMLHeadingElement | null> {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · Sallyport`;
    if (!first) heading.current?.focus({ preventScroll: true });
    first = false;
  }, [title]);
  return heading;
}

/** A page with its heading, and what may be done on it. */
export function Page({
  title,
  lead,
  actions,
  children,
}: {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}) {
  const heading = useHeading(title);
  return (
    <div className="page">
      <header className="page-head">
        <div>
          <h1 ref={heading} tabIndex={-1}>
            {title}
          </h1>
          {lead !== undefined && <p className="page-lead">{lead}</p>}
        </div>
        {actions !== undefined && actions !== false && <div className="page-actions">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

/** A part of a page, under its own heading. */
export function Section({
  title,
  lead,
  actions,
  children,
  id,
}: {
  title: string;
  lead?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
  id?: string;
}) {
  const name = id ?? title.toLowerCase().replaceAll(' ', '-');
  return (
    <section className="section" aria-labelledby={name}>
      <header className="section-head">
        <div>
          <h2 id={name}>{title}</h2>
          {lead !== undefined && <p className="muted">{lead}</p>}
        </div>
        {actions !== undefined && actions !== false && <div className="page-actions">{actions}</div>}
      </header>
      <CourseLevel value="h3">{children}</CourseLevel>
    </section>
  );
}
