import { isObject, type Params, type Request } from './json-rpc.ts';
import { withoutTasks } from './tasks.ts';

/** What a modern client declares with each request, as a legacy client declares it once. */
export function legacyCapabilities(declared: Params): Params {
  const { elicitation, sampling, roots, experimental } = declared;
  return {
    ...(isObject(elicitation) && { elicitation }),
    ...(isObject(sampling) && { sampling }),
    ...(isObject(roots) && { roots: {} }),
    ...(isObject(experimental) && { experimental }),
  };
}

/** What a legacy client declared once, as a modern client declares it with each request. */
export function modernCapabilities(declared: Params): Params {
  const { elicitation, sampling, roots, experimental } = declared;
  const modes = isObject(elicitation) && Object.keys(elicitation).length > 0 ? elicitation : { form: {} };
  return {
    ...(isObject(elicitation) && { elicitation: modes }),
    ...(isObject(sampling) && { sampling }),
    ...(isObject(roots) && { roots: {} }),
    ...(isObject(experimental) && { experimental }),
  };
}

/** Whether a client that declared this can be asked that. */
export function canBeAsked(declared: Params, { method, params }: Request): boolean {
  switch (method) {
    case 'roots/list':
      return isObject(declared['roots']);
    case 'sampling/createMessage': {
      const { sampling } = declared;
      return isObject(sampling) && (params?.['tools'] === undefined || isObject(sampling['tools']));
    }
    case 'elicitation/create': {
      const { elicitation } = declared;
      if (!isObject(elicitation)) return false;
      if (params?.['mode'] === 'url') return isObject(elicitation['url']);
      // Nothing said is form mode, as it was before there were two (Elicitation, "Capabilities").
      return isObject(elicitation['form']) || !isObject(elicitation['url']);
    }
    default:
      return false;
  }
}

/** Capabilities of a legacy server that the modern era knows as well. */
export function modernServerCapabilities(legacy: Params): Params {
  const kept = ['completions', 'logging', 'prompts', 'resources', 'tools', 'experimental', 'extensions'];
  return withoutTasks(Object.fromEntries(Object.entries(legacy).filter(([name]) => kept.includes(name))));
}

const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency'];

/** Whether a message of this level is wanted by who asked for that one and above (RFC 5424 section 6.2.1). */
export const reaches = (level: unknown, wanted: string): boolean =>
  LEVELS.indexOf(String(level)) >= LEVELS.indexOf(wanted);

export const isLevel = (level: unknown): level is string => LEVELS.includes(level as string);

/** The one of two that lets more through. */
export const lower = (one: string | null, other: string): string =>
  one === null || LEVELS.indexOf(other) < LEVELS.indexOf(one) ? other : one;
