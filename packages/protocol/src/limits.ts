/** What both ends of a tunnel hold each other to; PROTOCOL.md is the text for other implementers. */

/** The WebSocket subprotocol, and with it the protocol's version. */
export const SUBPROTOCOL = 'sallyport.h2.v1';
/** Where a gateway takes tunnels, behind its own address. */
export const TUNNEL_PATH = '/tunnel';

/** The agent answers it with what it serves. */
export const HELLO_PATH = '/.sallyport/hello';
/** The gateway says with it what became of that, and why it hangs up. */
export const NOTICE_PATH = '/.sallyport/notice';
/** Of a hello or a notice, bytes. */
export const DOCUMENT_BYTES = 64 * 1024;
/** Servers in one hello. */
export const MAX_SERVERS = 64;
/** From the open connection to the answered hello, milliseconds. */
export const HELLO_WITHIN = 10_000;

/** One WebSocket message, bytes; senders keep to a quarter of it, so that small frames get in between. */
export const MESSAGE_BYTES = 256 * 1024;
export const SENT_MESSAGE_BYTES = 64 * 1024;

/** One piece of a byte stream that goes up by POST, bytes. */
export const UP_BYTES = 1024 * 1024;

/** One JSON-RPC message on a line of a stdio server, bytes. */
export const LINE_BYTES = 16 * 1024 * 1024;

/** What of a server's path opens the input and output of its program. */
export const STDIO_PATH = '/stdio';
/** Which running program is meant: an opaque key. */
export const INSTANCE_HEADER = 'sallyport-instance';

/** Calls under way in one tunnel. */
export const MAX_STREAMS = 256;
/** Bytes in flight of one call, each way, that its reader has not taken yet; less where more than 32 are under way (`share-window.ts`). */
export const STREAM_WINDOW = 512 * 1024;
/** Bytes in flight of all calls of a tunnel together, each way. */
export const TUNNEL_WINDOW = 16 * 1024 * 1024;
/** All headers of one request or response, bytes. */
export const HEADER_BYTES = 64 * 1024;

/** Silence after which an end asks whether the other one lives, milliseconds … */
export const PING_AFTER = 15_000;
/** … and after which it takes it for dead. */
export const DEAD_AFTER = 30_000;

/** HTTP/2 settings (RFC 9113 section 6.5.2) that both ends announce. */
export const SETTINGS = {
  initialWindowSize: STREAM_WINDOW,
  maxConcurrentStreams: MAX_STREAMS,
  maxHeaderListSize: HEADER_BYTES,
  enablePush: false,
} as const;

/** The same for an end that is ours (`http2/owner.ts`). */
export const ANNOUNCED = {
  streamWindow: STREAM_WINDOW,
  connectionWindow: TUNNEL_WINDOW,
  maxStreams: MAX_STREAMS,
  headerBytes: HEADER_BYTES,
} as const;
