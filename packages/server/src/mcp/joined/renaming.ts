import type { Upstream } from '../../terms/upstream.ts';
import { isObject, type Params, type Request } from '../json-rpc.ts';
import { toolWithoutTasks } from '../tasks.ts';
import { joinedName, joinedUri } from './names.ts';

/** Lists, and what an answer calls what it lists. */
export const LISTS: Readonly<Record<string, string>> = {
  'tools/list': 'tools',
  'prompts/list': 'prompts',
  'resources/list': 'resources',
  'resources/templates/list': 'resourceTemplates',
};

/** What a server lists, as the joined endpoint does. */
export function listedBy({ id }: Upstream, method: string, item: unknown): unknown {
  if (!isObject(item)) return item;
  const { name, uri, uriTemplate } = item;
  switch (method) {
    case 'resources/list':
      return typeof uri === 'string' ? { ...item, uri: joinedUri(id, uri) } : item;
    case 'resources/templates/list':
      return typeof uriTemplate === 'string' ? { ...item, uriTemplate: joinedUri(id, uriTemplate) } : item;
    default:
      return typeof name === 'string'
        ? withPage(id, toolWithoutTasks({ ...item, name: joinedName(id, name) }) as Record<string, unknown>)
        : item;
  }
}

/** A tool may name a resource that shows it (MCP Apps, `ui.resourceUri`). */
function withPage(id: string, tool: Record<string, unknown>): Record<string, unknown> {
  const meta = tool['_meta'];
  const ui = isObject(meta) ? meta['ui'] : undefined;
  if (!isObject(meta) || !isObject(ui) || typeof ui['resourceUri'] !== 'string') return tool;
  return { ...tool, _meta: { ...meta, ui: { ...ui, resourceUri: joinedUri(id, ui['resourceUri']) } } };
}

/** A result of a server's: the resources it names are to be had at the joined endpoint as well. */
export function resultOf(upstream: Upstream, method: string, value: Params): Params {
  const { content, contents, messages } = value;
  if (method === 'tools/call' && Array.isArray(content))
    return { ...value, content: content.map(block => shown(upstream, block)) };
  if (method === 'resources/read' && Array.isArray(contents))
    return { ...value, contents: contents.map(one => withUri(upstream, one)) };
  if (method === 'prompts/get' && Array.isArray(messages))
    return {
      ...value,
      messages: messages.map(message =>
        isObject(message) ? { ...message, content: shown(upstream, message['content']) } : message,
      ),
    };
  return value;
}

/** A block of content; `resource` and `resource_link` name a resource. */
function shown(upstream: Upstream, block: unknown): unknown {
  if (!isObject(block)) return block;
  if (block['type'] === 'resource_link') return withUri(upstream, block);
  if (block['type'] === 'resource') return { ...block, resource: withUri(upstream, block['resource']) };
  return block;
}

const withUri = ({ id }: Upstream, holder: unknown): unknown =>
  isObject(holder) && typeof holder['uri'] === 'string'
    ? { ...holder, uri: joinedUri(id, holder['uri']) }
    : holder;

/** What a request is about, in its parameters. */
export function namedIn({ method, params = {} }: Request): { name: string } | { uri: string } | null {
  const holder = method === 'completion/complete' ? params['ref'] : params;
  if (!isObject(holder)) return null;
  const byUri = method.startsWith('resources/') || holder['type'] === 'ref/resource';
  if (byUri) return typeof holder['uri'] === 'string' ? { uri: holder['uri'] } : null;
  return typeof holder['name'] === 'string' ? { name: holder['name'] } : null;
}

/** A request as its server knows what it is about. */
export function asOwn(request: Request, own: { name: string } | { uri: string }): Request {
  const { method, params = {} } = request;
  if (method !== 'completion/complete') return { ...request, params: { ...params, ...own } };
  return { ...request, params: { ...params, ref: { ...(params['ref'] as Params), ...own } } };
}
