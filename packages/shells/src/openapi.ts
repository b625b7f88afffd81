/** One call that a model may make, as a tool server describes it (OpenAPI 3.1). */
interface Operation {
  /** The name that clients of open-terminal know it by. */
  readonly name: string;
  readonly does: string;
  readonly query?: Schemas;
  readonly body?: Schemas;
  readonly needs?: readonly string[];
}
type Schemas = Readonly<Record<string, Schema>>;
interface Schema {
  readonly type: string;
  readonly description?: string;
  readonly items?: object;
  readonly enum?: readonly string[];
  readonly additionalProperties?: object;
  readonly minimum?: number;
  readonly maximum?: number;
}

const text = (description: string): Schema => ({ type: 'string', description });
const flag = (description: string): Schema => ({ type: 'boolean', description });
const count = (description: string, minimum = 1, maximum?: number): Schema => ({
  type: 'integer',
  description,
  minimum,
  ...(maximum !== undefined && { maximum }),
});
const texts = (description: string): Schema => ({ type: 'array', items: { type: 'string' }, description });

const WAIT: Schema = {
  type: 'number',
  minimum: 0,
  maximum: 300,
  description: 'Seconds to wait for its end; what it has printed by then is in the answer.',
};
const TAIL = count('Only so many of the last pieces of output.');
const FILE = text('Path of the file, absolute or from the current directory.');
const BELOW = text('Directory to look in and below; the current one if it is left out.');
const KIND: Schema = { type: 'string', enum: ['file', 'directory', 'any'], description: 'What to find.' };
const HIDDEN = flag('Whether names that begin with a dot count.');

const OPERATIONS: Readonly<Record<string, Operation>> = {
  'get /execute': {
    name: 'list_processes',
    does: 'List the commands that run, and those that ended lately.',
  },
  'post /execute': {
    name: 'run_command',
    does: 'Run a command in a shell, in the background. With `wait` a short one is answered with its output; of a longer one ask for the status.',
    query: { wait: WAIT, tail: TAIL },
    body: {
      command: text('A line for the shell: chains, pipes and redirections work.'),
      cwd: text('Directory to run in; the current one if it is left out.'),
      env: {
        type: 'object',
        additionalProperties: { type: 'string' },
        description: 'More variables for its environment.',
      },
    },
    needs: ['command'],
  },
  'get /execute/{process_id}/status': {
    name: 'get_process_status',
    does: 'What a command has printed, and whether it has ended. Pass the last `next_offset` to get only what is new.',
    query: { wait: WAIT, offset: count('Pieces of output to leave out.', 0), tail: TAIL },
  },
  'post /execute/{process_id}/input': {
    name: 'send_process_input',
    does: 'Type into a command that runs. A line ends with a newline.',
    body: { input: text('What is typed.') },
    needs: ['input'],
  },
  'delete /execute/{process_id}': {
    name: 'kill_process',
    does: 'End a command.',
    query: { force: flag('At once (SIGKILL), and not by asking it to (SIGTERM).') },
  },
  'get /files/list': {
    name: 'list_files',
    does: 'List a directory.',
    query: { directory: text('Path of the directory; the current one if it is left out.') },
  },
  'get /files/read': {
    name: 'read_file',
    does: 'Read a text file, or some lines of it; a picture comes as it is.',
    query: {
      path: FILE,
      start_line: count('First line, counted from 1.'),
      end_line: count('Last line.'),
    },
    needs: ['path'],
  },
  'get /files/display': {
    name: 'display_file',
    does: 'Show a file to the user. Its content is not in the answer.',
    query: { path: FILE },
    needs: ['path'],
  },
  'post /files/write': {
    name: 'write_file',
    does: 'Write a text file, over what was there; missing directories are made.',
    body: { path: FILE, content: text('All that is to stand in it.') },
    needs: ['path', 'content'],
  },
  'post /files/replace': {
    name: 'replace_file_content',
    does: 'Replace texts in a file, one after the other. Each has to stand there exactly as it is written.',
    body: {
      path: FILE,
      replacements: {
        type: 'array',
        items: {
          type: 'object',
          properties: {
            target: text('What stands there.'),
            replacement: text('What is to stand there.'),
            start_line: count('Look from this line on.'),
            end_line: count('Look up to this line.'),
            allow_multiple: flag('Replace it wherever it stands; otherwise it has to stand there once.'),
          },
          required: ['target', 'replacement'],
        },
      },
    },
    needs: ['path', 'replacements'],
  },
  'get /files/grep': {
    name: 'grep_search',
    does: 'Find lines in files.',
    query: {
      query: text('What to find.'),
      path: BELOW,
      regex: flag('Whether it is a regular expression; true if it is left out.'),
      case_insensitive: flag('Whether capitals do not matter.'),
      include: texts('Only files whose name fits one of these, such as `*.py`.'),
      match_per_line: flag('Lines if true, else names of files.'),
      max_results: count('The most to find.', 1, 500),
    },
    needs: ['query'],
  },
  'get /files/glob': {
    name: 'glob_search',
    does: 'Find files and directories by a pattern such as `*.py`.',
    query: {
      pattern: text('The pattern, for a name or a path.'),
      path: BELOW,
      exclude: texts('Patterns of what to leave out.'),
      type: KIND,
      max_results: count('The most to find.', 1, 500),
    },
    needs: ['pattern'],
  },
  'get /files/search': {
    name: 'search_files',
    does: 'Find files and directories by a part of their name, the best first.',
    query: {
      query: text('A part of the name.'),
      path: BELOW,
      type: KIND,
      show_hidden: HIDDEN,
      limit: count('The most to find.', 1, 100),
    },
  },
  'get /files/matches': {
    name: 'match_files',
    does: 'Find files and directories by a part of their path or by what stands in them, the best first.',
    query: {
      query: text('The text to find; no pattern.'),
      path: BELOW,
      show_hidden: HIDDEN,
      offset: count('Results to leave out.', 0),
      limit: count('The most to find.', 1, 100),
    },
    needs: ['query'],
  },
};

/** `GET /openapi.json`: what models are offered of this server as tools. */
export const OPENAPI = {
  openapi: '3.1.0',
  info: {
    title: 'Shells',
    version: '1',
    description: 'Runs commands, and reads and writes files, in the home of whoever calls.',
  },
  paths: pathsOf(OPERATIONS),
};

function pathsOf(operations: typeof OPERATIONS): Record<string, Record<string, object>> {
  const paths: Record<string, Record<string, object>> = {};
  for (const [call, operation] of Object.entries(operations)) {
    const [method, path] = call.split(' ') as [string, string];
    paths[path] = { ...paths[path], [method]: described(path, operation) };
  }
  return paths;
}

function described(path: string, { name, does, query = {}, body, needs = [] }: Operation): object {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: text('Id of the command.'),
  }));
  const inQuery = Object.entries(query).map(([name, schema]) => ({
    name,
    in: 'query',
    required: needs.includes(name),
    description: schema.description,
    schema,
  }));
  const schema = { type: 'object', properties: body, required: needs };
  return {
    operationId: name,
    summary: does.split('. ', 1)[0]!.replace(/\.$/, ''),
    description: does,
    parameters: [...inPath, ...inQuery],
    ...(body !== undefined && {
      requestBody: { required: true, content: { 'application/json': { schema } } },
    }),
    responses: { 200: { description: 'Done', content: { 'application/json': { schema: {} } } } },
  };
}
