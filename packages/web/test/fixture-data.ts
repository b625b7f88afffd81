/** Canned answers for the console's development and its screenshots: a small company, on an ordinary day. */
const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString();
const ahead = (minutes: number): string => ago(-minutes);
const DAY = 1440;

export const PUBLIC_URL = 'https://gate.corp.example';

export const me = {
  user: {
    id: 'usr_ada',
    email: 'ada@corp.example',
    name: 'Ada Okafor',
    groups: ['engineering', 'ai-admins'],
    admin: true,
    local: false,
  },
  proof: 'session',
  credential_id: 'ses_1',
  gateway: {
    name: 'Sallyport',
    version: '0.1.0',
    public_url: PUBLIC_URL,
    features: ['local-accounts', 'edit-upstreams', 'edit-providers', 'remove-users'],
  },
};

export const signInOptions = {
  providers: [
    { id: 'corp', name: 'Corp SSO', login_url: '/auth/corp/login' },
    { id: 'github', name: 'GitHub', login_url: '/auth/github/login' },
  ],
  local_accounts: true,
  first_start: false,
};

/** Everything that people set is markup in some other world; here it must stay text. */
export const XSS = `"><img src=x onerror="document.title='pwned'"><script>document.title='pwned'</script>`;

export function lists() {
  return {
    home: [
      up('corp-llm', 'Corp models', 'openai', 'ready', {
        base_url: `${PUBLIC_URL}/v1`,
        models: ['corp-large', 'corp-*'],
      }),
      up('tracker', 'Issue tracker', 'openapi', 'connect', {
        base_url: `${PUBLIC_URL}/u/tracker`,
        connect_url: '/auth/tracker/login',
        detail: 'Connect your tracker account once; the gateway keeps it fresh from then on.',
      }),
      up('search', 'Document search', 'mcp', 'failing', {
        base_url: `${PUBLIC_URL}/mcp/search`,
        failing_since: ago(42),
        detail: 'The connection was refused. Its owner is told; nothing is wrong with your account.',
      }),
      up('payroll', 'Payroll', 'http', 'denied', {
        base_url: `${PUBLIC_URL}/u/payroll`,
        detail: 'Only for the group finance.',
      }),
    ],
    sessions: [
      {
        id: 'ses_1',
        created_at: ago(180),
        seen_at: ago(0),
        expires_at: ahead(10 * DAY),
        address: '10.20.4.17',
        user_agent: 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0',
        current: true,
      },
      {
        id: 'ses_2',
        created_at: ago(3 * DAY),
        seen_at: ago(95),
        expires_at: ahead(7 * DAY),
        address: '203.0.113.80',
        user_agent:
          'Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1',
        current: false,
      },
    ],
    keys: [
      key('key_1', 'laptop', { used_at: ago(2), expires_at: ahead(61 * DAY) }),
      key('key_2', 'nightly evaluation', {
        scope: ['corp-llm'],
        used_at: ago(400),
        expires_at: ahead(12 * DAY),
      }),
      key('key_3', 'old notebook', { used_at: ago(40 * DAY), revoked_at: ago(9 * DAY) }),
    ],
    grants: [
      {
        id: 'grt_1',
        provider: 'corp',
        provider_name: 'Corp SSO',
        scope: 'openid profile email offline_access',
        expires_at: ahead(38),
        refreshed_at: ago(22),
        refresh_result: 'refreshed',
        state: 'ready',
        reconnect_url: '/auth/corp/login?return_to=/account',
      },
      {
        id: 'grt_2',
        provider: 'github',
        provider_name: 'GitHub',
        scope: 'read:user user:email',
        expires_at: ago(200),
        refreshed_at: ago(210),
        refresh_result: 'invalid_grant',
        state: 'reauth_required',
        reconnect_url: '/auth/github/login?return_to=/account',
      },
    ],
    users: [
      user('usr_ada', 'Ada Okafor', 'ada@corp.example', {
        admin: true,
        groups: ['engineering', 'ai-admins'],
        seen_at: ago(0),
      }),
      user('usr_bo', 'Bo Lindqvist', 'bo@corp.example', { groups: ['engineering'], seen_at: ago(17) }),
      user('usr_chi', 'Chiara Rossi', 'chiara@partner.example', {
        local: true,
        groups: ['support'],
        seen_at: ago(2 * DAY),
      }),
      user('usr_dan', null, 'dan@corp.example', {
        groups: ['support'],
        seen_at: ago(60 * DAY),
        disabled_at: ago(5 * DAY),
      }),
    ],
    invitations: [
      {
        id: 'inv_1',
        email: 'emi@partner.example',
        admin: false,
        groups: ['support'],
        created_at: ago(60),
        expires_at: ahead(3 * DAY),
      },
    ],
    upstreams: [
      {
        id: 'corp-llm',
        name: 'Corp models',
        kind: 'openai',
        url: 'https://llm.corp.example/v1',
        models: ['corp-large', 'corp-*'],
        credential: {
          use: 'sign-in',
          token: 'access_token',
          strict: false,
          provider: null,
          release: false,
          has_key: true,
        },
        access: { everyone: false, users: [], groups: ['engineering'] },
        source: 'file',
        problem: null,
      },
      {
        id: 'tracker',
        name: 'Issue tracker',
        kind: 'openapi',
        url: 'https://tracker.corp.example/api',
        models: [],
        credential: {
          use: 'sign-in',
          token: 'id_token',
          strict: true,
          provider: 'corp',
          release: true,
          has_key: false,
        },
        access: { everyone: true, users: [], groups: [] },
        source: 'database',
        problem: null,
      },
      {
        id: 'payroll',
        name: 'Payroll',
        kind: 'http',
        url: 'https://payroll.corp.example',
        models: [],
        credential: { use: 'key', header: 'x-api-key', scheme: '', has_key: true },
        access: { everyone: false, users: ['ada@corp.example'], groups: ['finance'] },
        source: 'database',
        problem: null,
      },
    ],
    providers: [
      {
        id: 'corp',
        name: 'Corp SSO',
        protocol: 'oidc',
        issuer: 'https://login.corp.example',
        client_id: 'sallyport',
        has_secret: true,
        scope: 'openid profile email offline_access',
        response_mode: 'form_post',
        source: 'file',
      },
      {
        id: 'github',
        name: 'GitHub',
        protocol: 'oauth2',
        issuer: 'https://github.com',
        client_id: 'Iv23liSallyport',
        has_secret: true,
        scope: 'read:user user:email',
        response_mode: 'query',
        source: 'database',
      },
    ],
    audit: [
      entry(12, 1, 'session.begin', 'usr_bo', 'Bo Lindqvist', 'ses_9', null, { provider: 'corp' }),
      entry(11, 4, 'grant.refresh', 'usr_ada', 'Ada Okafor', null, 'grt_1', { result: 'refreshed' }),
      entry(10, 9, 'key.create', 'usr_ada', 'Ada Okafor', 'ses_1', 'key_2', {
        name: 'nightly evaluation',
        scope: 'corp-llm',
      }),
      entry(9, 31, 'sign-in.refused', null, null, null, 'corp', { reason: 'the state was used before' }),
      entry(8, 44, 'token.release', 'usr_ada', 'Ada Okafor', 'key_1', 'tracker', null),
      entry(7, 70, 'upstream.change', 'usr_ada', 'Ada Okafor', 'ses_1', 'tracker', null),
      entry(6, 9 * DAY, 'key.revoke', 'usr_ada', 'Ada Okafor', 'ses_1', 'key_3', null),
    ],
    checks: [
      { name: 'database', ok: true, said: 'SQLite answers in 1 ms; all 3 migrations are in.', do: null },
      { name: 'encryption key', ok: true, said: 'One key, from OAUTH_TOKEN_ENCRYPTION_KEY.', do: null },
      {
        name: 'provider corp',
        ok: true,
        said: 'Discovery answers in 61 ms; its clock differs by less than a second.',
        do: null,
      },
      {
        name: 'upstream search',
        ok: false,
        said: 'https://search.corp.example refused the connection, for 42 minutes now.',
        do: 'Look whether the server runs and whether a firewall stands between; nothing is to be changed here.',
      },
    ],
  };
}

function up(id: string, name: string, kind: string, state: string, rest: object) {
  return { id, name, kind, state, failing_since: null, detail: null, connect_url: null, models: [], ...rest };
}

function key(id: string, name: string, rest: object) {
  return {
    id,
    name,
    admin: false,
    scope: null,
    created_at: ago(30 * DAY),
    expires_at: null,
    used_at: null,
    revoked_at: null,
    ...rest,
  };
}

function user(id: string, name: string | null, email: string, rest: object) {
  return {
    id,
    name,
    email,
    groups: [],
    admin: false,
    local: false,
    created_at: ago(90 * DAY),
    seen_at: null,
    disabled_at: null,
    ...rest,
  };
}

export function entry(
  number: number,
  minutes: number,
  action: string,
  user_id: string | null,
  user_label: string | null,
  credential_id: string | null,
  target: string | null,
  detail: object | null,
) {
  return {
    id: `evt_${number}`,
    at: ago(minutes),
    action,
    user_id,
    user_label,
    credential_id,
    address: '10.20.4.17',
    target,
    detail,
  };
}
