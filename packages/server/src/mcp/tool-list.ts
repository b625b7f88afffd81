import { isObject } from './json-rpc.ts';
import type { MayCall } from './tool-rules.ts';

/** A message as a principal may see it: a list of tools holds only those that they may call. */
export function withoutDenied(message: unknown, mayCall: NonNullable<MayCall>): unknown {
  if (Array.isArray(message)) return message.map(one => withoutDenied(one, mayCall));
  if (!isObject(message) || !isObject(message['result'])) return message;
  const { tools } = message['result'];
  if (!Array.isArray(tools)) return message;
  const seen = tools.filter(tool => isObject(tool) && mayCall(String(tool['name'])));
  // What depends on who asks is not for a shared cache.
  const scope = 'cacheScope' in message['result'] ? { cacheScope: 'private' } : {};
  return { ...message, result: { ...message['result'], tools: seen, ...scope } };
}
