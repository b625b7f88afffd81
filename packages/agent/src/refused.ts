/** A gateway that said no, or that something between refused to reach. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly status: number;
  /** Said by a gateway, and not by something before it. */
  readonly ours: boolean;

  /** @param body whose `detail` is for people, where it is problem details (RFC 9457) */
  constructor(status: number, body: string, fallback: string) {
    const problem = problemIn(body);
    super(typeof problem['detail'] === 'string' ? problem['detail'] : fallback);
    this.status = status;
    this.ours = String(problem['type']).startsWith('urn:sallyport:');
  }
}

function problemIn(text: string): Record<string, unknown> {
  try {
    const problem: unknown = JSON.parse(text);
    return typeof problem === 'object' && problem !== null ? (problem as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
