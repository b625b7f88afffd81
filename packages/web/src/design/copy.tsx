import { useEffect, useState } from 'react';
import { announce } from '../live/announce.tsx';
import { Button } from './button.tsx';
import './copy.css';

/** Copies a text and says so. */
function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 2500);
    return () => clearTimeout(timer);
  }, [copied]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
      announce(`Copied ${what}.`);
    } catch {
      announce('The browser did not let us copy. Select the text and copy it by hand.');
    }
  };
  return (
    <Button look="quiet" onClick={() => void copy()} aria-label={`Copy ${what}`}>
      {copied ? 'Copied' : 'Copy'}
    </Button>
  );
}

/** Text to take along: code, a key, a link. It scrolls inside itself, by keyboard too. */
export function Takeaway({ text, what }: { text: string; what: string }) {
  return (
    <figure className="takeaway">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must be reachable by keyboard (WCAG 2.1.1) */}
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset is for controls; this only names what scrolls */}
      <pre tabIndex={0} role="group" aria-label={what}>
        <code>{text}</code>
      </pre>
      <div className="takeaway-copy">
        <CopyButton text={text} what={what} />
      </div>
    </figure>
  );
}
