import { type Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

/** How a gateway is asked. */
export interface Asked {
  readonly url: URL;
  readonly agent: HttpAgent;
  readonly headers: Readonly<Record<string, string>>;
  /** Until the head of an answer, milliseconds. */
  readonly timeout: number;
}

/** One request; resolves with the response's head. @param path behind the URL's own @throws the network's error */
export function ask(
  asked: Asked,
  method: string,
  path: string,
  body: Buffer | null,
): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
  const send = asked.url.protocol === 'https:' ? requestHttps : requestHttp;
  const request = send(new URL(`${asked.url.href}${path}`), {
    method,
    agent: asked.agent,
    headers: { ...asked.headers, 'content-length': body === null ? 0 : body.length },
  });
  const late = setTimeout(
    () => request.destroy(new Error('the gateway did not answer in time')),
    asked.timeout,
  );
  request.on('response', response => {
    clearTimeout(late);
    resolve(response);
  });
  request.on('error', error => {
    clearTimeout(late);
    reject(error);
  });
  request.end(body ?? undefined);
  return promise;
}

/** What an answer says, as far as anybody wants to read it. */
export async function textOfAnswer(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const piece of response) if (text.length < 4_096) text += piece as string;
  return text;
}
