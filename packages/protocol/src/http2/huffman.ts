import { CODE, Http2Error } from './codes.ts';

/** The end of a text: never in one, and in part what fills up its last byte. */
const EOS = 256;
/**
 * How many bits the code of each octet, and of the end, has (RFC 7541 appendix B), each as a digit of base 36. The code is canonical: shorter ones
 * and smaller octets come first, so the lengths are all of it.
 */
const LENGTHS =
  'dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca' +
  'd67777777777777777777777878djde6f56565666577666567655677777fbeds' +
  'kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn' +
  'qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrqu';

/** Steps by half a byte: the state that follows … */
const NEXT = 0xffff;
/** … with an octet that is complete, above it, … */
const OCTET = 16;
const EMITS = 1 << 24;
/** … and whether a text may end there: behind less than a byte of ones (section 5.2). */
const MAY_END = 1 << 25;
/** No state follows. */
const FAILS = 1 << 26;

let steps: Int32Array | null = null;

/**
 * The text of a Huffman-coded string (RFC 7541 section 5.2), one character for each octet.
 * @throws Http2Error COMPRESSION_ERROR for a code or an end that there is not
 */
export function huffmanText(bytes: Buffer, from: number, to: number): string {
  steps ??= table();
  // The shortest code has five bits.
  const room = Math.ceil(((to - from) * 8) / 5);
  if (room > scratch.length) scratch = Buffer.allocUnsafeSlow(room);
  let length = 0;
  let state = 0;
  let step = MAY_END;
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    step = steps[(state << 4) | (byte >> 4)]!;
    if ((step & EMITS) !== 0) scratch[length++] = (step >> OCTET) & 0xff;
    if ((step & FAILS) !== 0) throw wrong();
    step = steps[((step & NEXT) << 4) | (byte & 15)]!;
    if ((step & EMITS) !== 0) scratch[length++] = (step >> OCTET) & 0xff;
    if ((step & FAILS) !== 0) throw wrong();
    state = step & NEXT;
  }
  if ((step & MAY_END) === 0) throw wrong();
  return scratch.toString('latin1', 0, length);
}

let scratch = Buffer.allocUnsafeSlow(1_024);

const wrong = () => new Http2Error(CODE.COMPRESSION_ERROR, 'a header whose Huffman code is wrong came');

/** A node of the tree of codes: 0 and 1 lead on, to a node or to an octet (below zero, less one). */
type Node = [number | null, number | null];

function tree(): Node[] {
  const nodes: Node[] = [[null, null]];
  let code = 0;
  for (let length = 5; length <= 30; length++, code *= 2)
    for (let octet = 0; octet <= EOS; octet++)
      if (Number.parseInt(LENGTHS[octet]!, 36) === length) place(nodes, code++, length, octet);
  return nodes;
}

function place(nodes: Node[], code: number, length: number, octet: number): void {
  let node = nodes[0]!;
  for (let bit = length - 1; bit > 0; bit--) {
    const side = (code >> bit) & 1;
    if (node[side] === null) node[side] = nodes.push([null, null]) - 1;
    node = nodes[node[side]!]!;
  }
  node[code & 1] = -1 - octet;
}

function table(): Int32Array {
  const nodes = tree();
  const all = new Int32Array(nodes.length * 16);
  // Where one is after so many ones from the root: the ends that may be.
  const ends = new Set<number>();
  for (let node = 0, ones = 0; ones < 8; ones++, node = nodes[node]![1]!) ends.add(node);
  for (let state = 0; state < nodes.length; state++)
    for (let half = 0; half < 16; half++) all[state * 16 + half] = stepFrom(nodes, state, half, ends);
  return all;
}

function stepFrom(nodes: Node[], state: number, half: number, ends: ReadonlySet<number>): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit--) {
    const next = nodes[node]![(half >> bit) & 1]!;
    if (next === -1 - EOS) return FAILS;
    if (next < 0) emitted = EMITS | ((-1 - next) << OCTET);
    node = Math.max(0, next);
  }
  return node | emitted | (ends.has(node) ? MAY_END : 0);
}
