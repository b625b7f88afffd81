import { useCallback, useEffect, useMemo, useState } from 'react';
import type { HomeUpstream, List, Tunnel } from '../../api/types.ts';
import { Button } from '../../design/button.tsx';
import { Courses, Facts } from '../../design/course.tsx';
import { TextField } from '../../design/field.tsx';
import { Empty, Loaded, Note } from '../../design/state.tsx';
import { useResource } from '../../live/resource.ts';
import { Link, usePath } from '../../router/router.tsx';
import { useMe } from '../../session/me.tsx';
import { Page, Section } from '../../shell/page.tsx';
import { Connection } from '../tunnels/tunnel-course.tsx';
import { tunnelFacts } from '../tunnels/tunnel-facts.tsx';
import { createMcpClient, type Exchanged, type McpClient, McpError } from './mcp-client.ts';
import { Messages } from './messages.tsx';
import { ToolCourse } from './tool-course.tsx';
import { CallFailed } from './tool-result.tsx';
import { listTools, type Tool } from './tools.ts';
import './tools.css';

/** Where the tools of `/mcp/{upstream}` are tried. */
export const TOOLS_PATH = '/tools/';
const KEPT_MESSAGES = 100;
/** From so many tools on a list wants a filter. */
const MANY = 8;

/** An MCP server: its tools, a form for each, and the messages that went to and fro. */
export function ToolsPage() {
  const id = usePath().slice(TOOLS_PATH.length);
  const home = useResource<List<HomeUpstream>>('/api/v1/home', ['upstreams', 'grants', 'health']);
  const tunnels = useResource<List<Tunnel>>('/api/v1/tunnels', ['upstreams', 'tunnels']);
  const upstream = home.data?.items.find(each => each.id === id && each.kind === 'mcp');
  return (
    <Page
      title={upstream?.name ?? 'Tools'}
      lead={upstream === undefined ? undefined : <code>{upstream.base_url}</code>}
    >
      <Loaded of={home}>
        {() =>
          upstream === undefined ? (
            <Empty title="There is no such MCP server here for you.">
              <Link to="/">Your upstreams</Link> and <Link to="/tunnels">your tunnels</Link> list what there
              is.
            </Empty>
          ) : (
            <Loaded of={tunnels}>
              {({ items }) => <Tools id={id} tunnel={items.find(each => each.name === id) ?? null} />}
            </Loaded>
          )
        }
      </Loaded>
    </Page>
  );
}

function Tools({ id, tunnel }: { id: string; tunnel: Tunnel | null }) {
  const me = useMe();
  const [messages, setMessages] = useState<Exchanged[]>([]);
  const client = useMemo(
    () =>
      createMcpClient(`/mcp/${id}`, message =>
        setMessages(before => [message, ...before].slice(0, KEPT_MESSAGES)),
      ),
    [id],
  );
  return (
    <>
      {tunnel !== null && (
        <div className="tunnel-facts">
          <Connection tunnel={tunnel} />
          <Facts facts={tunnelFacts(tunnel).slice(1)} />
        </div>
      )}
      <Section
        title="Tools"
        lead={`A call goes through the gateway as ${me.user.name ?? me.user.email ?? 'you'}, like that of any client of yours, and is in the audit.`}
      >
        <ToolList
          client={client}
          away={tunnel?.connected === false}
          since={tunnel?.connected === true ? tunnel.since : null}
        />
      </Section>
      {messages.length > 0 && (
        <Section
          title="Messages"
          lead="What went to the server and came back, the newest first."
          actions={<Button onClick={() => setMessages([])}>Clear</Button>}
        >
          <Messages messages={messages} />
        </Section>
      )}
    </>
  );
}

/** @param since when its agent connected: one that came back may bring other tools */
function ToolList({ client, away, since }: { client: McpClient; away: boolean; since: string | null }) {
  const [tools, setTools] = useState<Tool[] | null>(null);
  const [error, setError] = useState<McpError | null>(null);
  const [wanted, setWanted] = useState('');
  const load = useCallback(
    async (signal: AbortSignal) => {
      try {
        const found = await listTools(client, signal);
        if (signal.aborted) return;
        setTools(found);
        setError(null);
      } catch (thrown) {
        if (!signal.aborted)
          setError(thrown instanceof McpError ? thrown : new McpError('The gateway did not answer.'));
      }
    },
    [client],
  );
  // biome-ignore lint/correctness/useExhaustiveDependencies: asked again of an agent that came back
  useEffect(() => {
    if (away) return;
    const gone = new AbortController();
    void load(gone.signal);
    return () => gone.abort();
  }, [load, away, since]);
  if (away && tools === null)
    return <Empty title="Its agent is away.">Its tools are here as soon as it is back.</Empty>;
  if (error !== null && !away)
    return (
      <>
        <CallFailed error={error} />
        <div>
          <Button onClick={() => void load(new AbortController().signal)}>Try again</Button>
        </div>
      </>
    );
  if (tools === null) return <p role="status">Asking for its tools…</p>;
  if (tools.length === 0) return <Empty title="It has no tools for you." />;
  const text = wanted.toLowerCase();
  const fits = ({ name, title }: Tool) => `${name} ${title ?? ''}`.toLowerCase().includes(text);
  return (
    <>
      {away && <Note tone="warn">Its agent is away: calls fail until it is back.</Note>}
      {tools.length > MANY && (
        <TextField
          label="Find a tool"
          type="search"
          value={wanted}
          onChange={event => setWanted(event.target.value)}
        />
      )}
      <Courses label="Tools">
        {tools.filter(fits).map(tool => (
          <ToolCourse key={tool.name} tool={tool} client={client} />
        ))}
      </Courses>
    </>
  );
}
