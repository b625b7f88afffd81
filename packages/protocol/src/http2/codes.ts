/** Numbers of HTTP/2 (RFC 9113 sections 6 and 7; RFC 8441 section 3). */

export const TYPE = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const FLAG = { ACK: 1, END_STREAM: 1, END_HEADERS: 4, PADDED: 8, PRIORITY: 0x20 } as const;

export const SETTING = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
  ENABLE_CONNECT_PROTOCOL: 8,
} as const;

export const CODE = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  ENHANCE_YOUR_CALM: 11,
} as const;

/** Of a frame without what it carries, bytes. */
export const FRAME_HEAD = 9;
/** What a frame may carry at most, both ways: nobody is told otherwise (section 4.2). */
export const FRAME_BYTES = 16_384;
/** A window before anybody said otherwise (section 6.9.2) … */
export const FIRST_WINDOW = 65_535;
/** … and the widest that one may be (section 6.9.1). */
export const WIDEST_WINDOW = 2 ** 31 - 1;

/** Why a stream or a connection is broken; the message is for people, and names whom it blames. */
export class Http2Error extends Error {
  override readonly name = 'Http2Error';
  /** RFC 9113 section 7. */
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** The other end does what the protocol forbids. */
export const protocolError = (what: string): Http2Error => new Http2Error(CODE.PROTOCOL_ERROR, what);
