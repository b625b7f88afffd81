import type { SignInOptions } from '../../api/types.ts';
import { ButtonLink } from '../../design/button.tsx';
import { Loaded, Note } from '../../design/state.tsx';
import { useResource } from '../../live/resource.ts';
import { safeReturnTo } from '../../session/return-to.ts';
import { Gatehouse } from './gatehouse.tsx';
import { LocalSignIn } from './local-sign-in.tsx';

/** Where people come in: their providers, and the local account where there are any. */
export function SignInPage() {
  const options = useResource<SignInOptions>('/api/v1/sign-in-options', []);
  const query = new URLSearchParams(location.search);
  const returnTo = safeReturnTo(query.get('return_to'), location.origin);
  return (
    <Gatehouse title="Sign in">
      {query.has('error') && (
        <Note tone="warn">
          <p>
            That sign-in did not go through. Try again; if it keeps failing, your admin finds the reason in
            the audit.
          </p>
        </Note>
      )}
      <Loaded of={options}>{found => <Ways options={found} returnTo={returnTo} />}</Loaded>
    </Gatehouse>
  );
}

function Ways({ options, returnTo }: { options: SignInOptions; returnTo: string }) {
  const noProviders = options.providers.length === 0;
  if (options.first_start) {
    return (
      <Note>
        <p>
          <strong>Nobody has signed in here yet.</strong> The terminal that started this gateway shows a link
          for its first admin. It works once, for 15 minutes; starting the gateway again makes a new one.
        </p>
      </Note>
    );
  }
  if (noProviders && !options.local_accounts) {
    return (
      <Note>
        <p>
          No way to sign in is set up here. An admin adds a provider to the configuration file and restarts
          the gateway.
        </p>
      </Note>
    );
  }
  return (
    <>
      {!noProviders && (
        <div className="gate-ways">
          {options.providers.map(provider => (
            <ButtonLink key={provider.id} look="solid" href={withReturn(provider.login_url, returnTo)}>
              Continue with {provider.name}
            </ButtonLink>
          ))}
        </div>
      )}
      {!noProviders && options.local_accounts && <p className="gate-or">or with a local account</p>}
      {options.local_accounts && <LocalSignIn returnTo={returnTo} alone={noProviders} />}
    </>
  );
}

function withReturn(loginUrl: string, returnTo: string): string {
  const url = new URL(loginUrl, location.origin);
  if (returnTo !== '/') url.searchParams.set('return_to', returnTo);
  return url.href;
}
