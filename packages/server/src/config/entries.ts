import { AppError } from '../platform/errors.ts';
import { isForbiddenAddress, namesAddress } from '../platform/net.ts';
import type { Provider } from '../terms/provider.ts';
import type { Upstream } from '../terms/upstream.ts';
import { composeProvider, composeUpstream } from './compose.ts';
import { pathText, type Report, reportIssue } from './problems.ts';
import { checkProvider, checkUpstream } from './rules.ts';
import { createSchemas } from './schema.ts';
import { createPlainSecretReader } from './secrets.ts';

type Entry = Readonly<Record<string, unknown>>;

/** Reads a provider or an upstream that stands elsewhere than in the configuration file, by the same rules. */
export interface EntryReader {
  /**
   * @param providers ids that its rule may name; null: whichever
   * @throws AppError `bad_request` that names everything that is wrong
   */
  upstream(values: Entry, providers: readonly string[] | null): Upstream;
  /** @throws AppError as `upstream` */
  provider(values: Entry): Provider;
}

/**
 * @param deps.exposed whether others than this machine reach the listener: secrets that everybody knows are refused then
 */
export function createEntryReader(deps: { insecureHttp: boolean; exposed: boolean }): EntryReader {
  const schemas = createSchemas({
    secrets: createPlainSecretReader({ exposed: deps.exposed }),
    insecureHttp: deps.insecureHttp,
  });

  return {
    upstream: (values, providers) =>
      checked(report => {
        const named = (values['credential'] as Entry | undefined)?.['provider'];
        checkUpstream(values, providers ?? [named], report);
        const result = schemas.upstream.safeParse(values);
        for (const issue of result.error?.issues ?? []) reportIssue([], issue, report);
        if (!result.success) return null;
        if (values['embedded'] !== undefined)
          report(['embedded'], 'expected in the configuration file only: it runs programs on this machine');
        if (result.data.url === undefined) return null;
        refuseForbidden(result.data.url, 'url', report);
        return composeUpstream(result.data);
      }),

    provider: values =>
      checked(report => {
        const before = { count: 0 };
        checkProvider(values, (path, message) => {
          before.count += 1;
          report(path, message);
        });
        const result = schemas.provider.safeParse(values);
        for (const issue of result.error?.issues ?? []) reportIssue([], issue, report);
        if (!result.success || before.count > 0) return null;
        const provider = composeProvider(result.data, 'query');
        refuseForbidden(new URL(provider.issuer), 'issuer', report);
        return provider;
      }),
  };
}

function checked<T>(read: (report: Report) => T | null): T {
  const problems: string[] = [];
  const value = read((path, message) =>
    problems.push(path.length === 0 ? message : `${pathText(path)}: ${message}`),
  );
  if (value === null || problems.length > 0)
    throw new AppError('bad_request', [...new Set(problems)].join('; '));
  return value;
}

/** A name that leads there is refused when it is dialled. */
function refuseForbidden(url: URL, key: string, report: Report): void {
  if (namesAddress(url) && isForbiddenAddress(url.hostname))
    report([key], 'expected no link-local or multicast address: clouds keep their credentials there');
}
