import { AppError } from './errors.ts';

const REASONS: Record<string, string> = {
  ENOTFOUND: 'is no name that DNS knows',
  EAI_AGAIN: 'cannot be looked up: DNS does not answer',
  ECONNREFUSED: 'refuses the connection: nothing listens there',
  ECONNRESET: 'closed the connection',
  UND_ERR_SOCKET: 'closed the connection',
  ETIMEDOUT: 'does not answer in time',
  TimeoutError: 'does not answer in time',
  ERR_CONNECT_TIMEOUT: 'does not answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'does not answer in time',
  ERR_HTTP_MALFORMED: 'answers, but not in HTTP',
  UND_ERR_HEADERS_TIMEOUT: 'does not answer in time',
  EHOSTUNREACH: 'cannot be reached: there is no route',
  ENETUNREACH: 'cannot be reached: there is no route',
};

/** Why a request came to nothing, to be read behind a host's name: the innermost cause that says something. */
export function reasonOf(error: unknown): string {
  let reason = 'does not answer';
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? '';
    const known = REASONS[code] ?? REASONS[cause.name];
    if (known !== undefined) reason = known;
    else if (/WRONG_VERSION_NUMBER|EPROTO|PACKET_LENGTH_TOO_LONG/.test(code)) reason = 'speaks no TLS there';
    else if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code))
      reason = `shows a certificate that is not trusted (${code})`;
    else if (code.startsWith('HPE_')) reason = 'answers, but not in HTTP';
    else if (cause instanceof AppError && /private address/.test(cause.message))
      reason = 'leads to an address that is refused';
  }
  return reason;
}
