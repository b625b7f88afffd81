import { type ReactNode, useEffect } from 'react';
import { Arch, Glyph } from '../../design/glyph.tsx';
import { ThemeToggle } from '../../shell/theme-toggle.tsx';
import '../../shell/shell.css';
import './gatehouse.css';

/** The outer gate: what people see before they are let in. */
export function Gatehouse({ title, children }: { title: string; children: ReactNode }) {
  useEffect(() => {
    document.title = `${title} · Sallyport`;
  }, [title]);
  return (
    <main className="gatehouse">
      <div className="gate">
        <div className="gate-head">
          <Arch />
          <div className="gate-sign">
            <Glyph size={44} />
            <p className="gate-name">Sallyport</p>
          </div>
        </div>
        <div className="gate-way">
          <div className="gate-door">
            <h1>{title}</h1>
            {children}
          </div>
        </div>
      </div>
      <div className="gate-foot">
        <ThemeToggle />
      </div>
    </main>
  );
}
