import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';
import { pinned } from './processes.ts';

/** What the numbers were made on and with. */
export function facts(): Record<string, string> {
  return {
    machine: `${cpus()[0]?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    'load before the run': `${loadavg()[0]!.toFixed(2)}${loadavg()[0]! > 0.5 ? ' (others are at work here: trust ratios, not values)' : ''}`,
    pinning: pinned
      ? 'candidate on core 0, load generator and upstream on core 1'
      : 'none: taskset is missing or there is one core',
    versions: Object.entries(versions())
      .map(([name, version]) => `${name} ${version}`)
      .join(', '),
    date: new Date().toISOString().slice(0, 10),
  };
}

function versions(): Record<string, string> {
  const root = join(import.meta.dirname, '..');
  const rivals = join(import.meta.dirname, 'rivals');
  const found: Record<string, string | undefined> = {
    Node: process.version.slice(1),
    sallyport: spawnSync('git', ['rev-parse', '--short', 'HEAD'], {
      cwd: root,
      encoding: 'utf8',
    }).stdout?.trim(),
    undici: packageVersion(join(root, 'packages/server'), 'undici'),
    nginx: said('nginx', ['-v'], /nginx\/([\d.]+)/),
    haproxy: said('haproxy', ['-v'], /version ([\d.]+)/),
    'reply-from': packageVersion(rivals, '@fastify/reply-from'),
    fastify: packageVersion(rivals, 'fastify'),
    'http-proxy-3': packageVersion(rivals, 'http-proxy-3'),
    portkey: packageVersion(rivals, '@portkey-ai/gateway'),
  };
  return Object.fromEntries(
    Object.entries(found).filter((entry): entry is [string, string] => Boolean(entry[1])),
  );
}

function said(program: string, args: string[], version: RegExp): string | undefined {
  const env = { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/usr/local/sbin` };
  const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env });
  return version.exec(`${stdout}${stderr}`)?.[1];
}

/** Packages need not export their package.json, so the folders are walked as Node does. */
function packageVersion(from: string, name: string): string | undefined {
  const folders = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
  const file = folders.map(folder => join(folder, name, 'package.json')).find(existsSync);
  return file && (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}
