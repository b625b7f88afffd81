import { useState } from 'react';
import type { HomeUpstream } from '../../api/types.ts';
import { Takeaway } from '../../design/copy.tsx';
import { Tabs } from '../../design/tabs.tsx';
import { Link } from '../../router/router.tsx';
import { useMe } from '../../session/me.tsx';
import { snippetsFor } from './snippet-texts.ts';
import './snippets.css';

/** Ready-made calls, one tab each. */
export function Snippets({ upstream }: { upstream: HomeUpstream }) {
  const me = useMe();
  const [chosen, setChosen] = useState(0);
  const snippets = snippetsFor(upstream, me.gateway.public_url);
  const current = snippets[chosen] ?? snippets[0]!;
  return (
    <div className="snippets">
      <p className="small">
        Put a gateway key into <code>SALLYPORT_KEY</code>; <Link to="/account">make one in your account</Link>
        .
      </p>
      <Tabs
        label={`Snippets for ${upstream.name}`}
        names={snippets.map(({ name }) => name)}
        chosen={chosen}
        onChoose={setChosen}
      >
        <Takeaway text={current.text} what={`${current.name} for ${upstream.name}`} />
      </Tabs>
    </div>
  );
}
