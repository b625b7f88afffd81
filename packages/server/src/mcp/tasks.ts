import { isObject, type Params, type RpcError } from './json-rpc.ts';
import { CODE } from './protocol.ts';

/**
 * Tasks are another thing in each era: part of the legacy one (2025-11-25, Tasks), an extension of the modern one (SEP-2663). As such they pass between
 * client and server of one era, and cross no bridge: what a server does as a task is, for the client at the other side, a call that takes long.
 */
export const TASKS_EXTENSION = 'io.modelcontextprotocol/tasks';
/** Says in `_meta` which task a legacy message is about. */
export const RELATED_TASK = 'io.modelcontextprotocol/related-task';

export const isAboutTasks = (method: string): boolean => method.startsWith('tasks/');

export const noTasks: RpcError = {
  code: CODE.unknownMethod,
  message: 'There are no tasks here: call the tool without one, and its answer comes when it is done.',
};

/** Capabilities of either era, of a client or a server, in which nobody is promised tasks. */
export function withoutTasks({ tasks: _tasks, ...capabilities }: Params): Params {
  const { extensions } = capabilities as Params;
  if (!isObject(extensions) || !(TASKS_EXTENSION in extensions)) return capabilities;
  const { [TASKS_EXTENSION]: _task, ...others } = extensions;
  const { extensions: _all, ...rest } = capabilities as Params;
  return Object.keys(others).length === 0 ? rest : { ...rest, extensions: others };
}

/** A result that lists tools, for who calls them without tasks: one that is said to require them would not be called. */
export function withoutTaskSupport(value: Params): Params {
  const { tools } = value;
  return Array.isArray(tools) ? { ...value, tools: tools.map(toolWithoutTasks) } : value;
}

export function toolWithoutTasks(tool: unknown): unknown {
  if (!isObject(tool) || !isObject(tool['execution'])) return tool;
  const { execution, ...rest } = tool;
  const { taskSupport: _support, ...others } = execution as Params;
  return Object.keys(others).length === 0 ? rest : { ...rest, execution: others };
}
