import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { homedir, hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { Clock } from '@sallyport/protocol/heartbeat.ts';
import { ask, textOfAnswer } from './ask.ts';
import { createAgent } from './dial.ts';
import { homed } from './read-values.ts';
import { SettingsError } from './settings.ts';

/** Where a login leaves its key, and where a key is looked for when none is named. */
export const KEY_FILE = join(homedir(), '.config', 'sallyport', 'key');
const TIMEOUT = 15_000;

export interface LoginSettings {
  readonly gateway: URL;
  readonly keyFile: string;
  readonly ca: string | null;
}

/**
 * Gets a gateway key by its person's browser, after the manner of RFC 8628: shows a page and a code, waits until they say yes there, and writes
 * the key into a file that nobody else can read.
 * @throws SettingsError when they say no, or the code runs out
 */
export async function login(
  settings: LoginSettings,
  deps: { clock: Clock; env: NodeJS.ProcessEnv; say(text: string): void },
): Promise<void> {
  const { gateway, ca } = settings;
  const url = new URL(`${gateway.origin}${gateway.pathname.replace(/\/$/, '')}/api/v1/agent-logins`);
  const agent = createAgent(gateway, ca, deps.env);
  const headers = { 'content-type': 'application/json', 'user-agent': 'sallyport-agent' };
  const post = async (path: string, body: unknown) => {
    const response = await ask(
      { url, agent, headers, timeout: TIMEOUT },
      'POST',
      path,
      Buffer.from(JSON.stringify(body)),
    );
    const text = await textOfAnswer(response);
    if (response.statusCode! >= 500 || !text.startsWith('{'))
      throw new SettingsError(`${gateway.origin} answered ${response.statusCode}`);
    return JSON.parse(text) as Record<string, string>;
  };
  try {
    const begun = await post('', { name: `agent on ${hostname()}`.slice(0, 100) });
    const { user_code: code, device_code: device, verification_uri_complete: page } = begun;
    if (device === undefined) throw new SettingsError(begun['detail'] ?? 'the gateway takes no logins');
    deps.say(`Open ${page}\nand let in the code ${code}`);
    for (let wait = Number(begun['interval']) * 1_000; ; ) {
      await deps.clock.sleep(wait);
      const { key, error } = await post('/token', { device_code: device });
      if (key !== undefined) {
        const file = homed(settings.keyFile);
        await mkdir(dirname(file), { recursive: true, mode: 0o700 });
        await writeFile(file, `${key}\n`, { mode: 0o600 });
        // One that was there keeps what it had.
        await chmod(file, 0o600);
        deps.say(`The key is in ${file}`);
        return;
      }
      // RFC 8628 section 3.5: five seconds more, from then on.
      if (error === 'slow_down') wait += 5_000;
      else if (error === 'access_denied') throw new SettingsError('you turned it away');
      else if (error !== 'authorization_pending') throw new SettingsError('the code has run out; try again');
    }
  } finally {
    agent.destroy();
  }
}
