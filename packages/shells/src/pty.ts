import { readSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { ReadStream } from 'node:tty';
import type { Confined } from './confine.ts';

const require = createRequire(import.meta.url);

/** What of the package's binary is used. Its own stream loses what a slow reader has not read 200 ms after the end, and never rests while a full terminal takes nothing. */
interface Binary {
  fork(
    file: string,
    args: readonly string[],
    env: readonly string[],
    cwd: string,
    cols: number,
    rows: number,
    uid: number,
    gid: number,
    utf8: boolean,
    helper: string,
    exited: (code: number, signal: number) => void,
  ): { fd: number; pid: number };
  resize(fd: number, cols: number, rows: number, xPixel: number, yPixel: number): void;
}

let binary: { readonly native: Binary; readonly helper: string } | null = null;

/** Loaded by the first shell, so that nobody else pays for it. @throws where the platform has none */
function load(): NonNullable<typeof binary> {
  if (binary !== null) return binary;
  const platform = `${process.platform}-${process.arch}`;
  const at = createRequire(require.resolve('@lydell/node-pty'));
  const { native } = require('@lydell/node-pty') as { native: Binary };
  const lib = dirname(at.resolve(`@lydell/node-pty-${platform}`));
  // Only macOS uses it.
  return (binary = { native, helper: join(lib, `../prebuilds/${platform}/spawn-helper`) });
}

/** How long a terminal that takes no more input is left alone, at first and at most, milliseconds. */
const REST = { first: 2, most: 100 };

/** What a read of a terminal gives at most is 4 KB; this is more than a system keeps. */
const PIECE = 64 * 1024;

/**
 * Reads a terminal to its end. When the last program lets go of the other one, Node 24 takes the first piece that is not full for the last (libuv, until
 * 1.52), or the read fails with EIO, which makes a stream forget what its reader has not read yet.
 */
class LastingReadStream extends ReadStream {
  readonly #fd: number;

  constructor(fd: number) {
    super(fd);
    this.#fd = fd;
  }

  override push(chunk: Buffer | null): boolean {
    if (chunk === null) for (let rest = this.#rest(); rest !== null; rest = this.#rest()) super.push(rest);
    return super.push(chunk);
  }

  override destroy(error?: Error): this {
    if ((error as NodeJS.ErrnoException | undefined)?.code !== 'EIO') return super.destroy(error);
    this.once('end', () => super.destroy());
    this.push(null);
    return this;
  }

  #rest(): Buffer | null {
    const piece = Buffer.allocUnsafe(PIECE);
    try {
      const came = readSync(this.#fd, piece);
      return came === 0 ? null : piece.subarray(0, came);
    } catch {
      return null;
    }
  }
}

/** A terminal's controlling end, and the program at the other. */
export class Pty {
  readonly pid: number;
  readonly #fd: number;
  readonly #stream: ReadStream;
  readonly #native: Binary;
  readonly #exited = Promise.withResolvers<number | null>();
  readonly #unwritten: { bytes: Buffer; drained: () => void }[] = [];
  #rest: NodeJS.Timeout | null = null;

  /** @throws where the system has no terminal or process left */
  constructor(program: Confined, place: { cols: number; rows: number; env: Record<string, string> }) {
    const { native, helper } = load();
    const env = Object.entries(place.env).map(([name, value]) => `${name}=${value}`);
    const { file, args, cwd } = program;
    const exited = (code: number, signal: number) => this.#exited.resolve(signal === 0 ? code : null);
    const { fd, pid } = native.fork(
      file,
      args,
      env,
      cwd,
      place.cols,
      place.rows,
      -1,
      -1,
      false,
      helper,
      exited,
    );
    this.pid = pid;
    this.#fd = fd;
    this.#native = native;
    this.#stream = new LastingReadStream(fd);
    this.#stream.on('error', () => {});
  }

  onData(came: (bytes: Buffer) => void): void {
    this.#stream.on('data', came);
  }

  /** The program that was started has ended; what it started may still hold the terminal. @param code null: by a signal */
  onExit(exited: (code: number | null) => void): void {
    void this.#exited.promise.then(exited);
  }

  /** Nothing holds the terminal any more, and all that was printed has been read. */
  onClose(closed: () => void): void {
    this.#stream.on('close', () => {
      if (this.#rest !== null) clearTimeout(this.#rest);
      closed();
    });
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  /** Lets go of the terminal, whoever else holds it. */
  close(): void {
    this.#stream.destroy();
  }

  resize(cols: number, rows: number): void {
    if (!this.#stream.destroyed) this.#native.resize(this.#fd, cols, rows, 0, 0);
  }

  /** @param drained called when it was taken, where it was not at once @returns whether it was */
  write(bytes: Buffer, drained: () => void): boolean {
    if (this.#stream.destroyed) return true;
    this.#unwritten.push({ bytes, drained });
    if (this.#unwritten.length > 1) return false;
    return this.#writeOn(REST.first, true);
  }

  /** The descriptor never blocks; a system that says EAGAIN says nothing of when to try again. */
  #writeOn(rest: number, first: boolean): boolean {
    this.#rest = null;
    while (this.#unwritten.length > 0 && !this.#stream.destroyed) {
      const next = this.#unwritten[0]!;
      try {
        const taken = writeSync(this.#fd, next.bytes);
        next.bytes = next.bytes.subarray(taken);
        rest = REST.first;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') next.bytes = Buffer.alloc(0);
        else {
          this.#rest = setTimeout(() => this.#writeOn(Math.min(rest * 2, REST.most), false), rest);
          return false;
        }
      }
      if (next.bytes.length > 0) continue;
      this.#unwritten.shift();
      if (!first) next.drained();
    }
    return true;
  }
}
