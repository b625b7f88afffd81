import { type KeyboardEvent, useId, useState } from 'react';
import type { HomeUpstream } from '../../api/types.ts';
import { Takeaway } from '../../design/copy.tsx';
import { Link } from '../../router/router.tsx';
import { useMe } from '../../session/me.tsx';
import { snippetsFor } from './snippet-texts.ts';
import './snippets.css';

/** Ready-made calls, one tab each (the tabs pattern of the ARIA Authoring Practices: arrows move, one tab stop). */
export function Snippets({ upstream }: { upstream: HomeUpstream }) {
  const me = useMe();
  const id = useId();
  const [chosen, setChosen] = useState(0);
  const snippets = snippetsFor(upstream, me.gateway.public_url);
  const current = snippets[chosen] ?? snippets[0]!;
  const move = (event: KeyboardEvent<HTMLDivElement>) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = (chosen + step + snippets.length) % snippets.length;
    setChosen(next);
    document.getElementById(`${id}-${next}`)?.focus();
  };
  return (
    <div className="snippets">
      <p className="small">
        Put a gateway key into <code>SALLYPORT_KEY</code>; <Link to="/account">make one in your account</Link>
        .
      </p>
      <div className="tabs" role="tablist" aria-label={`Snippets for ${upstream.name}`} onKeyDown={move}>
        {snippets.map(({ name }, index) => (
          <button
            key={name}
            id={`${id}-${index}`}
            type="button"
            role="tab"
            aria-selected={index === chosen}
            aria-controls={`${id}-panel`}
            tabIndex={index === chosen ? 0 : -1}
            onClick={() => setChosen(index)}
          >
            {name}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}-panel`} aria-labelledby={`${id}-${chosen}`}>
        <Takeaway text={current.text} what={`${current.name} for ${upstream.name}`} />
      </div>
    </div>
  );
}
