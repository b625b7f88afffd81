import { isTwoFaced, plainJson } from '@sallyport/protocol/plain-json.ts';
import type { AllowRules } from './settings.ts';

type Message = Record<string, unknown>;

const NO_JSON = JSON.stringify({
  jsonrpc: '2.0',
  id: null,
  error: { code: -32700, message: 'The agent that brings this server lets JSON through, and nothing else.' },
});

/** What becomes of messages on their way to a server: they pass, as text, or are answered here. */
export interface Filtered {
  readonly pass: string | null;
  readonly answers: readonly string[];
}

export interface ToolFilter {
  /** Toward the server. A text that is no JSON does not pass: some servers read a call in what is none (`NaN` is a number to many). */
  down(text: string): Filtered;
  /** From the server: lists name only what may be called. */
  up(text: string): string;
}

/** Whether any rule is about tools at all: else nothing is parsed. */
export const filtersTools = ({ tools, deniedTools }: AllowRules): boolean =>
  tools.length > 0 || deniedTools.length > 0;

/**
 * Keeps calls of tools to those that the person at this end allows, and lists to the same. What passes is written anew from what was read: of
 * a message that names its tool twice, the server sees the one that was looked at.
 */
export function createToolFilter(rules: AllowRules): ToolFilter {
  const allowed = rules.tools.map(globOf);
  const denied = rules.deniedTools.map(globOf);
  const mayCall = (name: unknown): boolean =>
    typeof name === 'string' &&
    !denied.some(glob => glob.test(name)) &&
    (allowed.length === 0 || allowed.some(glob => glob.test(name)));

  const refused = (message: unknown): message is Message =>
    isObject(message) &&
    (isTwoFaced(message) ||
      (message['method'] === 'tools/call' &&
        !(isObject(message['params']) && mayCall(message['params']['name']))));

  function listed(message: unknown): unknown {
    if (!isObject(message) || !isObject(message['result'])) return message;
    const { tools } = message['result'];
    if (!Array.isArray(tools)) return message;
    const kept = tools.filter(tool => isObject(tool) && mayCall(tool['name']));
    return { ...message, result: { ...message['result'], tools: kept } };
  }

  return {
    down(text) {
      const read = parsed(text);
      if (read === undefined) return { pass: null, answers: [NO_JSON] };
      const all: unknown[] = Array.isArray(read) ? read : [read];
      const passing = all.filter(message => !refused(message));
      const answers = all.filter(refused).flatMap(message => {
        const { id, params } = message;
        // Without an id it is a notification, which nobody answers.
        if (id === undefined) return [];
        const name = isObject(params) ? String(params['name']) : '';
        const said = `The tool ${name} is not allowed by the agent that brings this server.`;
        return [JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32602, message: said } })];
      });
      if (passing.length === 0) return { pass: null, answers };
      return { pass: passing.length === all.length ? plainJson(text) : JSON.stringify(passing), answers };
    },

    up(text) {
      const read = parsed(text);
      if (read === undefined) return text;
      return JSON.stringify(Array.isArray(read) ? read.map(listed) : listed(read));
    },
  };
}

/** `*` stands for any run of characters. */
const globOf = (glob: string): RegExp =>
  new RegExp(`^${glob.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')}$`);

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

const isObject = (value: unknown): value is Message =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
