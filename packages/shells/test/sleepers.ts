import { readdirSync, readFileSync } from 'node:fs';

/** How many processes of this machine are `sleep ARGUMENT`. */
export const running = (argument: string): number =>
  readdirSync('/proc').filter(pid => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') === `sleep\0${argument}\0`;
    } catch {
      return false;
    }
  }).length;
