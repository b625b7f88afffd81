import { isObject, type Json, type JsonObject, type McpClient } from './mcp-client.ts';

/** A tool as its server describes it. Nothing of it is to be trusted; all of it is shown as text. */
export interface Tool {
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly inputSchema: Json | undefined;
  /** What the server says of its effects. */
  readonly hints: readonly string[];
}

/** A server that answers a next page for ever is not followed for ever. */
const MOST_PAGES = 50;

/** All tools that the caller may use. @throws McpError */
export async function listTools(client: McpClient, signal: AbortSignal): Promise<Tool[]> {
  const tools: Tool[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < MOST_PAGES; page++) {
    const params: JsonObject = cursor === undefined ? {} : { cursor };
    const result = await client.request('tools/list', params, { signal });
    if (Array.isArray(result['tools'])) tools.push(...result['tools'].flatMap(toolOf));
    if (typeof result['nextCursor'] !== 'string') break;
    cursor = result['nextCursor'];
  }
  return tools;
}

function toolOf(value: Json): Tool[] {
  if (!isObject(value) || typeof value['name'] !== 'string') return [];
  const annotations = isObject(value['annotations']) ? value['annotations'] : {};
  const { name, title = annotations['title'], description, inputSchema } = value;
  return [
    {
      name,
      title: typeof title === 'string' && title !== '' ? title : null,
      description: typeof description === 'string' && description !== '' ? description : null,
      inputSchema,
      hints: hintsOf(annotations),
    },
  ];
}

function hintsOf(annotations: JsonObject): string[] {
  if (annotations['readOnlyHint'] === true) return ['says it only reads'];
  return annotations['destructiveHint'] === true ? ['says it may destroy'] : [];
}
