export type Json = Record<string, unknown>;

/** A frame of a ContextForge agent; null for what is no JSON object with a type. */
export function parseFrame(text: string): (Json & { type: string }) | null {
  const frame = parseObject(text);
  return frame !== null && typeof frame['type'] === 'string' ? (frame as Json & { type: string }) : null;
}

export function parseObject(text: string): Json | null {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : null;
  } catch {
    return null;
  }
}

export const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a JSON-RPC message is, by itself: the label an agent puts on it says less. */
export const kindOf = (message: Json): 'request' | 'notification' | 'response' =>
  'method' in message ? (message['id'] === undefined ? 'notification' : 'request') : 'response';

/** `My Server!` is called `my-server`. */
export function serverName(wish: unknown): string {
  const name = String(wish ?? '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9._-]+/g, '-')
    .replaceAll(/^[^a-z0-9]+|-+$/g, '')
    .slice(0, 63);
  return name === '' ? 'server' : name;
}
