/** Frames of HTTP/2 (RFC 9113 section 4.1), as far as somebody needs them who listens to a tunnel. */
export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
  /** Header and payload, as they came. */
  readonly bytes: Buffer;
}

export const TYPE = { RST_STREAM: 3, SETTINGS: 4, PING: 6, GOAWAY: 7, WINDOW_UPDATE: 8 } as const;
const ACK = 1;
export const isAck = ({ flags }: Frame): boolean => (flags & ACK) !== 0;

const HEADER = 9;
/** What a client's bytes begin with. */
const PREFACE = 24;

/** Takes a byte stream apart. @returns eats the next bytes and gives the frames that they complete, and what is no frame before them */
export function createFrameReader(from: 'client' | 'server'): (bytes: Buffer) => {
  readonly preface: Buffer | null;
  readonly frames: Frame[];
} {
  let rest = Buffer.alloc(0);
  let expected = from === 'client' ? PREFACE : 0;
  return bytes => {
    rest = Buffer.concat([rest, bytes]);
    const frames: Frame[] = [];
    let preface: Buffer | null = null;
    if (expected > 0) {
      if (rest.length < expected) return { preface, frames };
      preface = rest.subarray(0, expected);
      rest = rest.subarray(expected);
      expected = 0;
    }
    for (;;) {
      const length = rest.length < HEADER ? Infinity : rest.readUIntBE(0, 3);
      if (rest.length < HEADER + length) return { preface, frames };
      frames.push({
        type: rest[3]!,
        flags: rest[4]!,
        stream: rest.readUInt32BE(5) & 0x7fff_ffff,
        payload: rest.subarray(HEADER, HEADER + length),
        bytes: rest.subarray(0, HEADER + length),
      });
      rest = rest.subarray(HEADER + length);
    }
  };
}

/** A PING with eight bytes of one's own (RFC 9113 section 6.7). */
export const pingFrame = (payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from([0, 0, 8, TYPE.PING, 0, 0, 0, 0, 0]), payload]);

/** What a SETTINGS frame announces, by number (RFC 9113 section 6.5.2). */
export function settingsIn({ payload }: Frame): Map<number, number> {
  const settings = new Map<number, number>();
  for (let at = 0; at + 6 <= payload.length; at += 6)
    settings.set(payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  return settings;
}
