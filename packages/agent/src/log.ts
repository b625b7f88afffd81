/** What an agent tells whoever started it: a line an event, readable or as JSON. Nothing secret ever comes here. */
export interface Log {
  info(message: string, about?: Readonly<Record<string, unknown>>): void;
  warn(message: string, about?: Readonly<Record<string, unknown>>): void;
  /** Of a local server, as it wrote it. */
  said(server: string, line: string): void;
}

/** @param write one line without its end */
export function createLog(deps: { json: boolean; write(line: string): void; now(): Date }): Log {
  function line(level: string, message: string, about: Readonly<Record<string, unknown>>): void {
    const time = deps.now().toISOString();
    if (deps.json) deps.write(JSON.stringify({ time, level, message, ...about }));
    else {
      const more = Object.entries(about).map(([key, value]) => `  ${key}: ${String(value)}`);
      deps.write(`${time.slice(11, 19)} ${level === 'warn' ? '! ' : ''}${message}${more.join('')}`);
    }
  }
  return {
    info: (message, about = {}) => line('info', message, about),
    warn: (message, about = {}) => line('warn', message, about),
    said: (server, text) => line('server', text, { server }),
  };
}
