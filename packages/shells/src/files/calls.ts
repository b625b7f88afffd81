import { constants } from 'node:fs';
import { access, cp, mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Query, Refused, readBody, readJson, textIn } from '../answers.ts';
import { CWD_HEADER } from '../directories.ts';
import { sendArchive } from './archive.ts';
import { edited } from './edit.ts';
import { matchFiles, searchFiles } from './find.ts';
import { Place } from './path.ts';
import { globSearch, grepSearch } from './search.ts';

/** A text that is read into an answer, bytes. */
const MAX_TEXT = 16 * 1024 * 1024;
/** An upload, bytes. */
const MAX_UPLOAD = 256 * 1024 * 1024;

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css',
  '.csv': 'text/csv',
  '.gif': 'image/gif',
  '.html': 'text/html',
  '.jpeg': 'image/jpeg',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.md': 'text/markdown',
  '.mp4': 'video/mp4',
  '.pdf': 'application/pdf',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain',
  '.webp': 'image/webp',
  '.zip': 'application/zip',
};
const typeOf = (path: string) => TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream';

type Call = { req: IncomingMessage; res: ServerResponse; query: Query; place: Place };

/** `/files/…`, with open-terminal's parameters and answers. @throws Refused, or what the system says */
export async function callFiles(req: IncomingMessage, res: ServerResponse): Promise<unknown> {
  const cwd = req.headers[CWD_HEADER];
  const call = {
    req,
    res,
    query: new Query(req.url!),
    place: new Place(typeof cwd === 'string' ? decodeURIComponent(cwd) : null),
  };
  const path = req.url!.split('?', 1)[0]!;
  const serves = /^\/files\/serve\/(.*)$/.exec(path);
  if (serves !== null && req.method === 'GET') return view(call, `/${decodeURIComponent(serves[1]!)}`);
  const handler = CALLS[`${req.method} ${path}`];
  if (handler === undefined) throw new Refused(404, 'Not Found');
  return handler(call);
}

const CALLS: Readonly<Record<string, (call: Call) => Promise<unknown>>> = {
  'GET /files/cwd': async ({ place }) => ({
    cwd: place.cwd,
    home: place.home,
    root: { path: place.home, label: 'Home' },
  }),

  async 'POST /files/cwd'({ req, place }) {
    const cwd = place.path(textIn(await readJson(req), 'path'));
    if (!(await isDirectory(cwd))) throw new Refused(404, 'Directory not found');
    return { cwd };
  },

  async 'GET /files/list'({ query, place }) {
    const dir = place.path(query.text('directory') ?? '.');
    if (!(await isDirectory(dir))) throw new Refused(404, 'Directory not found');
    const names = (await readdir(dir)).sort();
    const entries = await Promise.all(names.map(name => entryOf(dir, name)));
    const writable = await access(dir, constants.W_OK).then(
      () => true,
      () => false,
    );
    return { dir, writable, entries: entries.filter(entry => entry !== null) };
  },

  async 'GET /files/read'({ query, res, place }) {
    const path = place.path(query.required('path'));
    const found = await fileAt(path);
    const type = typeOf(path);
    if (type.startsWith('image/') && type !== 'image/svg+xml') return send(res, path, type, found.size);
    if (found.size > MAX_TEXT) throw new Refused(413, `The file is larger than ${MAX_TEXT} bytes`);
    const bytes = await readFile(path);
    if (bytes.includes(0))
      throw new Refused(415, `Unsupported binary file type: ${type} (${bytes.length} bytes)`);
    const lines = linesOf(bytes.toString('utf8'));
    const first = (query.number('start_line', 1, Number.MAX_SAFE_INTEGER) ?? 1) - 1;
    const last = query.number('end_line', 1, Number.MAX_SAFE_INTEGER) ?? lines.length;
    return { path, total_lines: lines.length, content: lines.slice(first, last).join('') };
  },

  async 'GET /files/display'({ query, place }) {
    const path = place.path(query.required('path'));
    return {
      path,
      exists: await stat(path).then(
        found => found.isFile(),
        () => false,
      ),
    };
  },

  'GET /files/view': call => view(call, call.query.required('path')),

  async 'POST /files/write'({ req, place }) {
    const body = await readJson(req);
    const path = place.path(textIn(body, 'path'));
    const content = textIn(body, 'content');
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
    return { path, size: Buffer.byteLength(content) };
  },

  async 'POST /files/replace'({ req, place }) {
    const body = await readJson(req);
    const path = place.path(textIn(body, 'path'));
    const { size } = await fileAt(path);
    if (size > MAX_TEXT) throw new Refused(413, `The file is larger than ${MAX_TEXT} bytes`);
    const content = edited(await readFile(path, 'utf8'), body['replacements']);
    await writeFile(path, content);
    return { path, size: Buffer.byteLength(content) };
  },

  async 'POST /files/mkdir'({ req, place }) {
    const path = place.path(textIn(await readJson(req), 'path'));
    await mkdir(path, { recursive: true });
    return { path };
  },

  async 'DELETE /files/delete'({ query, place }) {
    const path = place.path(query.required('path'));
    const found = await stat(path).catch(() => null);
    if (found === null) throw new Refused(404, 'Path not found');
    if (path === place.home || path === '/') throw new Refused(400, 'This directory stays');
    await rm(path, { recursive: true });
    return { path, type: found.isDirectory() ? 'directory' : 'file' };
  },

  async 'POST /files/move'({ req, place }) {
    const body = await readJson(req);
    const source = place.path(textIn(body, 'source'));
    const destination = place.path(textIn(body, 'destination'));
    if (!(await exists(source))) throw new Refused(404, 'Source path not found');
    if (!(await isDirectory(dirname(destination))))
      throw new Refused(400, 'Destination parent directory not found');
    if (await exists(destination)) throw new Refused(409, 'Destination already exists');
    await rename(source, destination).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EXDEV') throw error;
      await cp(source, destination, { recursive: true });
      await rm(source, { recursive: true });
    });
    return { source, destination };
  },

  async 'POST /files/upload'({ req, query, place }) {
    const directory = place.path(query.required('directory'));
    const bytes = await readBody(req, MAX_UPLOAD);
    const form = await new Response(bytes as Uint8Array<ArrayBuffer>, {
      headers: { 'content-type': req.headers['content-type'] ?? '' },
    })
      .formData()
      .catch(() => null);
    const file = form?.get('file');
    if (!(file instanceof File)) throw new Refused(422, 'file: expected in a form');
    const path = join(directory, basename(file.name || 'upload'));
    await mkdir(directory, { recursive: true });
    await writeFile(path, Buffer.from(await file.arrayBuffer()));
    return { path, size: file.size };
  },

  'POST /files/archive': ({ req, res, place }) => sendArchive(req, res, place),
  'GET /files/grep': ({ query, place }) => grepSearch(query, place),
  'GET /files/glob': ({ query, place }) => globSearch(query, place),
  'GET /files/search': ({ query, place }) => searchFiles(query, place),
  'GET /files/matches': ({ query, place }) => matchFiles(query, place),
};

async function view({ res, place }: Call, text: string): Promise<undefined> {
  const path = place.path(text);
  const { size } = await fileAt(path);
  return send(res, path, typeOf(path), size);
}

async function send(res: ServerResponse, path: string, type: string, size: number): Promise<undefined> {
  const file = await open(path);
  // What a user wrote must not run as a page of whoever shows it.
  const safe = { 'x-content-type-options': 'nosniff', 'content-security-policy': 'sandbox' };
  res.writeHead(200, { 'content-type': type, 'content-length': size, ...safe });
  if (size > 0) await pipeline(file.createReadStream({ end: size - 1 }), res).catch(() => res.destroy());
  else {
    await file.close();
    res.end();
  }
  return undefined;
}

async function entryOf(dir: string, name: string) {
  const found = await stat(join(dir, name)).catch(() => null);
  if (found === null) return null;
  const type = found.isDirectory() ? 'directory' : 'file';
  return { name, type, size: found.size, modified: found.mtimeMs / 1_000 };
}

async function fileAt(path: string) {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  });
  if (found === null || !found.isFile()) throw new Refused(404, 'File not found');
  return found;
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );
const isDirectory = (path: string) =>
  stat(path).then(
    found => found.isDirectory(),
    () => false,
  );
const linesOf = (text: string) => text.match(/[^\n]*\n|[^\n]+$/g) ?? [];
