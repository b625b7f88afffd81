/** Fails when a package of the lock file wants to run a script at install that nobody has approved: none may compile or download (decision 0002). */
import { readFileSync } from 'node:fs';

const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, never>;
const approved = new Set(Object.keys(read('package.json')['allowScripts'] ?? {}));
const packages: Record<string, { hasInstallScript?: boolean; resolved?: string }> =
  read('package-lock.json')['packages']!;
const problems = Object.entries(packages).flatMap(([path, { hasInstallScript, resolved }]) => {
  const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
  return [
    ...(hasInstallScript && !approved.has(name) ? [`${name} runs a script at install`] : []),
    ...(resolved?.startsWith('http') ? [`${name} is recorded with its download address`] : []),
  ];
});
for (const problem of problems) console.error(problem);
process.exitCode = problems.length > 0 ? 1 : 0;
