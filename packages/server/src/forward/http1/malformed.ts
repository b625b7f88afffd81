/** What came is no HTTP/1.1, or not unambiguously so: nothing of that connection is believed any more. */
export class Malformed extends Error {
  override readonly name = 'Malformed';
  readonly code = 'ERR_HTTP_MALFORMED';
}
