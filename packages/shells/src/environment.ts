import type { ShellSettings } from './settings.ts';

/** By it all processes of a shell are found, wherever they went; `{run}.{shell}`. */
export const MARK = 'TERM_SESSION_ID';

/** What a program finds in its environment: what the settings name, and nothing of this process'. */
export function environmentOf(
  { env, shell }: ShellSettings,
  own: { home: string; mark: string; more?: Readonly<Record<string, string>> },
): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    LANG: 'C.UTF-8',
    ...env,
    SHELL: shell[0],
    HOME: own.home,
    TERM: 'xterm-256color',
    COLORTERM: 'truecolor',
    ...own.more,
    [MARK]: own.mark,
  };
}
