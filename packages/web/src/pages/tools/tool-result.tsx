import { Takeaway } from '../../design/copy.tsx';
import { Mark } from '../../design/mark.tsx';
import { isObject, type Json, type JsonObject, type McpError } from './mcp-client.ts';
import { beginning, textOf } from './message-text.ts';

/** Pictures and sounds that a browser shows without running anything of theirs. */
const IMAGE = /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml)$/;
const AUDIO = /^audio\/[a-z0-9.+-]+$/;
const BASE64 = /^[A-Za-z0-9+/=\s]*$/;

/** What a tool answered: text, pictures, sound, resources, structure. Everything in it is the server's, and is shown as text. */
export function ToolResult({ result }: { result: JsonObject }) {
  const { content, structuredContent } = result;
  const parts = Array.isArray(content) ? content : [];
  return (
    <div className="tool-result">
      {result['isError'] === true ? (
        <Mark tone="bad">The tool says that it failed</Mark>
      ) : (
        <Mark tone="good">It answered</Mark>
      )}
      {parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts of one answer never change their places
        <Part key={index} part={isObject(part) ? part : {}} />
      ))}
      {structuredContent !== undefined && (
        <Takeaway text={textOf(structuredContent)} what="the structured result" />
      )}
      {parts.length === 0 && structuredContent === undefined && (
        <p className="small muted">Nothing is in it.</p>
      )}
    </div>
  );
}

function Part({ part }: { part: JsonObject }) {
  const { type, text, data, mimeType } = part;
  if (type === 'text' && typeof text === 'string') return <Takeaway text={beginning(text)} what="the text" />;
  if (type === 'image' || type === 'audio') return <Medium data={data} mimeType={mimeType} />;
  if (type === 'resource' && isObject(part['resource'])) return <Resource resource={part['resource']} />;
  if (type === 'resource_link') return <Takeaway text={textOf(part)} what="a link to a resource" />;
  return <Takeaway text={textOf(part)} what="a part of the answer" />;
}

function Resource({ resource }: { resource: JsonObject }) {
  const { uri, mimeType, text, blob } = resource;
  return (
    <figure className="tool-resource">
      <figcaption className="small muted">
        {String(uri)} {typeof mimeType === 'string' && `(${mimeType})`}
      </figcaption>
      {typeof text === 'string' ? (
        <Takeaway text={beginning(text)} what="the resource" />
      ) : (
        <Medium data={blob} mimeType={mimeType} />
      )}
    </figure>
  );
}

function Medium({ data, mimeType }: { data: Json | undefined; mimeType: Json | undefined }) {
  const type = String(mimeType).toLowerCase();
  const whole = typeof data === 'string' && BASE64.test(data);
  if (whole && IMAGE.test(type))
    return <img className="tool-image" src={`data:${type};base64,${data}`} alt="What the tool sent" />;
  // biome-ignore lint/a11y/useMediaCaption: what a server sends has no captions to show
  if (whole && AUDIO.test(type)) return <audio controls src={`data:${type};base64,${data}`} />;
  const size = typeof data === 'string' ? `${data.length} characters in base64` : 'nothing';
  return (
    <p className="small muted">
      {type}: {size}
    </p>
  );
}

/** Why there is no result. */
export function CallFailed({ error }: { error: McpError }) {
  return (
    <div className="failure">
      <p>
        <strong>It did not work.</strong> {error.message}
        {error.code !== null && <span className="muted"> (code {error.code})</span>}
      </p>
      {error.data !== undefined && <Takeaway text={textOf(error.data)} what="what the error says besides" />}
    </div>
  );
}
