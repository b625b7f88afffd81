import { useState } from 'react';
import { api } from '../../api/client.ts';
import type { List, Tunnel } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Confirm } from '../../design/confirm.tsx';
import { Courses } from '../../design/course.tsx';
import { Dialog } from '../../design/dialog.tsx';
import { Empty, Loaded } from '../../design/state.tsx';
import { useResource } from '../../live/resource.ts';
import { useMe } from '../../session/me.tsx';
import { Page, Section } from '../../shell/page.tsx';
import { AliasDialog } from './alias-dialog.tsx';
import { ConnectGuide } from './connect-guide.tsx';
import { ShareDialog } from './share-dialog.tsx';
import { partingWith, TunnelCourse } from './tunnel-course.tsx';

type Asking = { readonly tunnel: Tunnel; readonly what: 'share' | 'alias' | 'disconnect' };

/** Servers that agents bring: mine, those shared with me, and for admins everybody's. */
export function TunnelsPage() {
  const tunnels = useResource<List<Tunnel>>('/api/v1/tunnels', ['upstreams', 'tunnels']);
  const [connecting, setConnecting] = useState(false);
  const [asking, setAsking] = useState<Asking | null>(null);
  const some = (tunnels.data?.items.length ?? 0) > 0;
  const close = () => setAsking(null);
  return (
    <Page
      title="Tunnels"
      lead="Servers behind NAT. An agent on their machine dials out, and whoever may use them does so through this gateway."
      actions={
        some && (
          <Button look="solid" onClick={() => setConnecting(true)}>
            Connect a server
          </Button>
        )
      }
    >
      <Loaded of={tunnels}>
        {({ items }) =>
          items.length === 0 ? (
            <NoTunnels />
          ) : (
            <Lists items={items} onAsk={(tunnel, what) => setAsking({ tunnel, what })} />
          )
        }
      </Loaded>
      {connecting && (
        <Dialog title="Connect a server" onClose={() => setConnecting(false)} wide>
          <ConnectGuide tunnels={tunnels.data?.items ?? []} />
        </Dialog>
      )}
      {asking?.what === 'share' && <ShareDialog tunnel={asking.tunnel} onClose={close} />}
      {asking?.what === 'alias' && <AliasDialog tunnel={asking.tunnel} onClose={close} />}
      {asking?.what === 'disconnect' && (
        <Confirm
          title={`${partingWith(asking.tunnel)} ${asking.tunnel.name}?`}
          verb={partingWith(asking.tunnel)}
          done={`${asking.tunnel.name} is ${asking.tunnel.connected ? 'disconnected' : 'forgotten'}.`}
          consequences={`/api/v1/tunnels/${encodeURIComponent(asking.tunnel.id)}/consequences`}
          act={() => api.delete(`/api/v1/tunnels/${encodeURIComponent(asking.tunnel.id)}`)}
          onClose={close}
        >
          The gateway forgets it and with whom it was shared. Its agent stays away until somebody starts it
          again; then it comes back as new, and is its owner's alone.
        </Confirm>
      )}
    </Page>
  );
}

function Lists(props: { items: Tunnel[]; onAsk: (tunnel: Tunnel, what: Asking['what']) => void }) {
  const me = useMe();
  const mine = props.items.filter(tunnel => tunnel.owner_id === me.user.id);
  const others = props.items.filter(tunnel => tunnel.owner_id !== me.user.id);
  const courses = (label: string, items: readonly Tunnel[]) => (
    <Courses label={label}>
      {items.map(tunnel => (
        <TunnelCourse key={tunnel.id} tunnel={tunnel} onAsk={what => props.onAsk(tunnel, what)} />
      ))}
    </Courses>
  );
  return (
    <>
      <Section title="Mine">
        {mine.length === 0 ? (
          <Empty title="You have none.">Connect a server of yours, and it stands here.</Empty>
        ) : (
          courses('My tunnels', mine)
        )}
      </Section>
      {others.length > 0 && (
        <Section title={me.user.admin ? 'Of others' : 'Shared with me'}>
          {courses(me.user.admin ? 'Tunnels of others' : 'Tunnels shared with me', others)}
        </Section>
      )}
    </>
  );
}

function NoTunnels() {
  return (
    <Section
      title="Connect your first"
      lead="It takes one command on the machine where the server runs. Nothing has to be opened towards it, and nobody but you may use it until you share it."
    >
      <ConnectGuide tunnels={[]} />
    </Section>
  );
}
