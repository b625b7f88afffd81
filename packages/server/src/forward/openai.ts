import { AppError } from '../platform/errors.ts';
import { ready } from '../platform/ready.ts';
import type { Principal } from '../terms/principal.ts';
import type { Upstream } from '../terms/upstream.ts';
import type { Call } from './call.ts';
import type { Destination } from './forward.ts';
import { ModelForm } from './model-form.ts';
import { matchesModel } from './model-globs.ts';
import { ModelScan } from './model-scan.ts';
import { joined } from './named.ts';
import { checkedPath } from './path.ts';

const PREFIX = '/v1';
const ONE_MODEL = /^\/models\/(.+)$/;

export interface OpenaiDeps {
  upstreams: { list(): readonly Upstream[] };
  may(principal: Principal, upstream: Upstream): boolean;
}

/** The model endpoints that this caller may use, in the configuration's order. */
export function usableModels(principal: Principal, deps: OpenaiDeps): Upstream[] {
  return deps.upstreams
    .list()
    .filter(upstream => upstream.kind === 'openai' && deps.may(principal, upstream));
}

/**
 * `/v1/*`: the model in the request picks the upstream among those that the caller may use.
 * @throws AppError `model_not_found`, `model_missing`, `model_ambiguous`, `bad_path`, `bad_request`
 */
export function findByModel(
  call: Call,
  principal: Principal,
  deps: OpenaiDeps,
): Destination | Promise<Destination> {
  const rest = checkedPath(call.path).slice(PREFIX.length);
  const candidates = usableModels(principal, deps);
  return ready(modelOf(call, rest), model => {
    const upstream = model === null ? onlyOne(candidates) : withModel(candidates, model);
    return { upstream, path: joined(upstream, rest, call.query) };
  });
}

/** The model a request names, in its body, its path or its query; null for one that names none (files, a stored response). */
function modelOf(call: Call, rest: string): string | null | Promise<string | null> {
  if (!call.body.empty) {
    const encoding = call.headers['content-encoding'] ?? 'identity';
    if (encoding !== 'identity')
      throw new AppError(
        'bad_request',
        'Send the body without content-encoding: the model in it picks the upstream.',
      );
    const type = call.headers['content-type'] ?? '';
    if (/^multipart\/form-data\b/i.test(type)) return modelIn(call, new ModelForm(type));
    // A body of another type is an upload of bytes, which names no model.
    if (type === '' || /json/i.test(type)) return modelIn(call, new ModelScan());
  }
  const inPath = ONE_MODEL.exec(rest)?.[1];
  if (inPath !== undefined) return decodeURIComponent(inPath);
  const [inQuery, second] = new URLSearchParams(call.query).getAll('model');
  if (second !== undefined) throw new AppError('bad_request', 'The query names "model" twice.');
  return inQuery ?? null;
}

async function modelIn(call: Call, reader: ModelScan | ModelForm): Promise<string | null> {
  const { body } = call;
  // It stays on watch while the rest passes: a second `model` further back breaks the request off.
  // By a name: written here, V8 would make it old from its birth, and the call with it (decisions/0018).
  const read = (chunk: Buffer) => reader.push(chunk);
  body.watch = read;
  await body.gather(() => reader.model !== null && !body.small);
  return reader.model;
}

function withModel(candidates: readonly Upstream[], model: string): Upstream {
  const found = candidates.find(upstream => matchesModel(upstream.models, model));
  if (found) return found;
  throw new AppError(
    'model_not_found',
    `The model ${JSON.stringify(model.slice(0, 100))} does not exist here, or you do not have access to it. GET /v1/models lists yours.`,
  );
}

function onlyOne(candidates: readonly Upstream[]): Upstream {
  const [first, second] = candidates;
  if (first === undefined)
    throw new AppError(
      'model_not_found',
      'You may use no model endpoint of this gateway; ask an admin for access.',
    );
  if (second === undefined) return first;
  const names = candidates.map(upstream => upstream.id).join(', ');
  throw new AppError(
    'model_ambiguous',
    `The request names no model within its first MiB, and several upstreams could be meant (${names}). Put "model" into it, or use /u/{upstream}/….`,
  );
}
