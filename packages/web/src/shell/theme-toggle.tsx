import { useState } from 'react';
import { Button } from '../design/button.tsx';

type Theme = 'light' | 'dark';

function shown(): Theme {
  const chosen = document.documentElement.dataset['theme'];
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
}

/** Day or night; kept in this browser (`theme.js` reads it before the first paint). The system's own choice is not stored. */
export function ThemeToggle() {
  const [theme, setTheme] = useState(shown);
  const next: Theme = theme === 'dark' ? 'light' : 'dark';
  const toggle = () => {
    const system = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
    try {
      if (next === system) localStorage.removeItem('sallyport-theme');
      else localStorage.setItem('sallyport-theme', next);
    } catch {
      // Storage is switched off: the choice lasts as long as the page.
    }
    document.documentElement.dataset['theme'] = next;
    setTheme(next);
  };
  return (
    <Button look="quiet" onClick={toggle}>
      <svg
        width="18"
        height="18"
        viewBox="0 0 20 20"
        aria-hidden="true"
        focusable="false"
        fill="currentColor"
      >
        {next === 'dark' ? <path d="M16.8 12.6A7.5 7.5 0 0 1 7.4 3.2a7.5 7.5 0 1 0 9.4 9.4z" /> : <Sun />}
      </svg>
      <span className="unseen">{next === 'dark' ? 'Dark theme' : 'Light theme'}</span>
    </Button>
  );
}

function Sun() {
  return (
    <>
      <circle cx="10" cy="10" r="4" />
      <path d="M9 0h2v4H9zM9 16h2v4H9zM0 9h4v2H0zM16 9h4v2h-4zM2.2 3.6l1.4-1.4 2.8 2.8L5 6.4zM13.6 15l1.4-1.4 2.8 2.8-1.4 1.4zM3.6 17.8l-1.4-1.4L5 13.6 6.4 15zM15 6.4 13.6 5l2.8-2.8 1.4 1.4z" />
    </>
  );
}
