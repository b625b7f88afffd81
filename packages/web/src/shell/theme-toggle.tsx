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
      {next === 'dark' ? 'Dark theme' : 'Light theme'}
    </Button>
  );
}
