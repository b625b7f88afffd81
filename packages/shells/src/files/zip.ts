import { createReadStream } from 'node:fs';
import { constants, crc32, createDeflateRaw } from 'node:zlib';

/** A file as it is to stand in an archive. */
export interface ZipEntry {
  /** With slashes, and no slash before it. */
  readonly name: string;
  /** Where its content is. */
  readonly path: string;
  /** Bytes; no more of it is read. */
  readonly size: number;
  readonly modified: Date;
}

/** Names are UTF-8; sizes and sums stand behind the content, since it is packed while it is read (APPNOTE.TXT section 4.4.4, bits 11 and 3). */
const FLAGS = 0x0808;
const DEFLATE = 8;
/** Version 2.0 reads it. */
const VERSION = 20;
const UNIX = 3;
const REGULAR_FILE = 0o100644;

/**
 * The bytes of a ZIP archive (APPNOTE.TXT 6.3), without its 64-bit form: 65,535 files and 4 GiB at most. Not by a library: where shells are confined, the
 * program that does files sees Node and this source of the machine, and no `node_modules`.
 */
export async function* zip(entries: readonly ZipEntry[]): AsyncGenerator<Buffer> {
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const name = Buffer.from(entry.name);
    const begins = at;
    const head = Buffer.alloc(30);
    head.writeUInt32LE(0x04034b50, 0);
    head.writeUInt16LE(VERSION, 4);
    writeCommon(head, 6, entry.modified);
    head.writeUInt16LE(name.length, 26);
    yield head;
    yield name;
    let [sum, size, packed] = [0, 0, 0];
    for await (const chunk of deflated(entry, bytes => {
      sum = crc32(bytes, sum);
      size += bytes.length;
    })) {
      packed += chunk.length;
      yield chunk;
    }
    const after = Buffer.alloc(16);
    after.writeUInt32LE(0x08074b50, 0);
    const sums = [sum, packed, size];
    for (const [n, value] of sums.entries()) after.writeUInt32LE(value, 4 + 4 * n);
    yield after;
    at += head.length + name.length + packed + after.length;

    const record = Buffer.alloc(46);
    record.writeUInt32LE(0x02014b50, 0);
    record.writeUInt8(VERSION, 4);
    record.writeUInt8(UNIX, 5);
    record.writeUInt16LE(VERSION, 6);
    writeCommon(record, 8, entry.modified);
    for (const [n, value] of sums.entries()) record.writeUInt32LE(value, 16 + 4 * n);
    record.writeUInt16LE(name.length, 28);
    record.writeUInt16LE(REGULAR_FILE, 40);
    record.writeUInt32LE(begins, 42);
    directory.push(record, name);
  }
  const records = Buffer.concat(directory);
  yield records;
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(records.length, 12);
  end.writeUInt32LE(at, 16);
  yield end;
}

/** @param read told all that is read */
async function* deflated({ path, size }: ZipEntry, read: (bytes: Buffer) => void): AsyncGenerator<Buffer> {
  const packer = createDeflateRaw({ level: constants.Z_BEST_SPEED });
  if (size === 0) packer.end();
  else {
    const file = createReadStream(path, { end: size - 1 });
    file.on('data', chunk => read(chunk as Buffer));
    // One that cannot be read breaks the whole off: half an archive must not look like one.
    file.on('error', error => packer.destroy(error));
    packer.on('close', () => file.destroy());
    file.pipe(packer);
  }
  yield* packer as AsyncIterable<Buffer>;
}

/** Flags, method and time: the same in both heads. */
function writeCommon(head: Buffer, at: number, modified: Date): void {
  head.writeUInt16LE(FLAGS, at);
  head.writeUInt16LE(DEFLATE, at + 2);
  const seconds = modified.getHours() * 2048 + modified.getMinutes() * 32 + (modified.getSeconds() >> 1);
  const year = Math.min(Math.max(modified.getFullYear() - 1980, 0), 127);
  head.writeUInt16LE(seconds, at + 4);
  head.writeUInt16LE(year * 512 + (modified.getMonth() + 1) * 32 + modified.getDate(), at + 6);
}
