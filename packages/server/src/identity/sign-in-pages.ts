import type { Provider } from '../terms/provider.ts';
import type { SignInRefused } from './sign-in-refusal.ts';

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const escaped = (text: string): string => text.replace(/[&<>"']/g, character => ESCAPES[character]!);

/** A whole page without style or script: it reads well bare, and the strictest content security policy lets it be. */
function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${escaped(title)} · Sallyport</title>
</head>
<body>
<main>
<h1>${escaped(title)}</h1>
${body}
</main>
</body>
</html>
`;
}

/** @param returnTo a checked path of ours */
export function signInPage(providers: readonly Provider[], returnTo: string): string {
  if (providers.length === 0) {
    return page(
      'Sign in',
      '<p>No provider is configured. The terminal in which Sallyport started shows a link for the first admin.</p>',
    );
  }
  const query = returnTo === '/' ? '' : `?return_to=${encodeURIComponent(returnTo)}`;
  const links = providers.map(
    provider =>
      `<li><a href="/auth/${encodeURIComponent(provider.id)}/login${escaped(query)}">Continue with ${escaped(provider.name)}</a></li>`,
  );
  return page('Sign in', `<ul>\n${links.join('\n')}\n</ul>`);
}

/** Says what happened and what to do; repeats nothing of the request. */
export function refusedPage(refusal: Pick<SignInRefused, 'message'>): string {
  return page(
    'You are not signed in',
    `<p role="alert">${escaped(refusal.message)}</p>\n<p><a href="/auth/login">Sign in</a></p>`,
  );
}

/** Who is signed in, what they may use and under which address, and the way out. */
export function homePage(
  who: string,
  upstreams: readonly { readonly name: string; readonly url: string }[],
): string {
  const items = upstreams.map(({ name, url }) => `<li>${escaped(name)}: <code>${escaped(url)}</code></li>`);
  const list =
    items.length === 0
      ? '<p>There is no upstream you may use yet.</p>'
      : `<p>You may use:</p>\n<ul>\n${items.join('\n')}\n</ul>`;
  return page(
    'Sallyport',
    `<p>You are signed in as ${escaped(who)}.</p>\n${list}\n<form method="post" action="/auth/logout"><button>Sign out</button></form>`,
  );
}
