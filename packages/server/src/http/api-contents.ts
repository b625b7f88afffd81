/** What a reader of the API's document is told of one operation beyond its schemas. */
export interface Entry {
  /** Its name in generated clients; part of the API, never changed. */
  readonly id: string;
  readonly tag: keyof typeof TAGS;
  readonly summary: string;
  /** Answers that are no JSON of the route's schema, by status. */
  readonly answers?: Readonly<Record<number, Answer>>;
  /** Refusals beside those that its policy and its input bring. */
  readonly refusals?: readonly number[];
  /** Where refusals are a page for people, or the shape of another protocol. */
  readonly refusalType?: 'text/html' | 'application/json';
}

export interface Answer {
  readonly what: string;
  /** Its content type; none: it has no body. */
  readonly type?: string;
}

export const TAGS = {
  account: 'Who I am, and what proves it',
  upstreams: 'Where requests go, and with what',
  admin: 'People, providers, audit, health: for admins',
  'sign-in': 'What browsers and providers do',
  operation: 'For who runs the gateway',
  'data plane': 'What is passed on to upstreams',
} as const;

const page = { what: 'A page', type: 'text/html' } as const;
const away = { what: 'Leads on' } as const;
const signIn = { tag: 'sign-in', refusals: [400, 401, 403, 404, 502], refusalType: 'text/html' } as const;

/** The table of contents: every operation of the API by method and path. What is not in it, or not served, fails a test. */
export const CONTENTS: Readonly<Record<string, Entry>> = {
  'GET /api/openapi.json': {
    id: 'getDocument',
    tag: 'operation',
    summary: 'This document',
    answers: { 200: { what: 'OpenAPI 3.1', type: 'application/json' } },
  },
  'GET /healthz': { id: 'getLiveness', tag: 'operation', summary: 'Whether the process answers' },
  'GET /readyz': { id: 'getReadiness', tag: 'operation', summary: 'Whether it can do its work' },
  'GET /metrics': {
    id: 'getMetrics',
    tag: 'operation',
    summary: 'Metrics for Prometheus',
    answers: { 200: { what: 'The text format of Prometheus', type: 'text/plain' } },
  },

  'GET /api/v1/me': { id: 'getMe', tag: 'account', summary: 'Who I am, and which gateway this is' },
  'GET /api/v1/sessions': {
    id: 'listSessions',
    tag: 'account',
    summary: "My sign-ins; another's for an admin",
  },
  'DELETE /api/v1/sessions/{id}': { id: 'endSession', tag: 'account', summary: 'Ends a sign-in, at once' },
  'GET /api/v1/keys': { id: 'listKeys', tag: 'account', summary: "My gateway keys; another's for an admin" },
  'POST /api/v1/keys': { id: 'createKey', tag: 'account', summary: 'Makes a gateway key, shown this once' },
  'DELETE /api/v1/keys/{id}': { id: 'revokeKey', tag: 'account', summary: 'Revokes a gateway key, at once' },
  'GET /api/v1/password': {
    id: 'getPassword',
    tag: 'account',
    summary: 'What I sign in with here, if it is a password',
  },
  'PUT /api/v1/password': {
    id: 'setPassword',
    tag: 'account',
    summary: 'Changes my password, or sets the first one; ends my other sessions',
    refusals: [409],
  },
  'GET /api/v1/grants': {
    id: 'listGrants',
    tag: 'account',
    summary: 'What I have granted, at which provider',
  },
  'DELETE /api/v1/grants/{id}': {
    id: 'endGrant',
    tag: 'account',
    summary: 'Forgets a grant, and has its provider revoke it',
  },
  'POST /api/v1/token': {
    id: 'getToken',
    tag: 'account',
    summary: "My own token for a service, where its upstream's rule says release: true",
    refusals: [404],
  },
  'GET /api/v1/events': {
    id: 'streamEvents',
    tag: 'account',
    summary: 'Names the lists that have changed, as it happens',
    answers: { 200: { what: 'Server-sent events', type: 'text/event-stream' } },
  },

  'GET /api/v1/recordings': {
    id: 'listRecordings',
    tag: 'account',
    summary: "What was printed in my recorded terminals; an admin sees everybody's",
  },
  'GET /api/v1/recordings/{id}': {
    id: 'getRecording',
    tag: 'account',
    summary: 'One of them',
    answers: { 200: { what: 'asciicast v2', type: 'application/x-asciicast' } },
    refusals: [404],
  },
  'DELETE /api/v1/recordings/{id}': {
    id: 'deleteRecording',
    tag: 'account',
    summary: 'Deletes a recording',
    refusals: [404],
  },
  'GET /api/v1/home': {
    id: 'listMyUpstreams',
    tag: 'upstreams',
    summary: 'What I may use, and its state for me',
  },
  'POST /api/v1/agent-logins': {
    id: 'beginAgentLogin',
    tag: 'sign-in',
    summary: 'An agent asks for a code that its person enters (RFC 8628)',
  },
  'POST /api/v1/agent-logins/token': {
    id: 'pollAgentLogin',
    tag: 'sign-in',
    summary: 'The key, when its person has said yes; else why not yet',
    refusalType: 'application/json',
  },
  'POST /api/v1/agent-logins/open': {
    id: 'findAgentLogin',
    tag: 'sign-in',
    summary: 'What waits under a code',
    refusals: [403, 404],
  },
  'POST /api/v1/agent-logins/answer': {
    id: 'answerAgentLogin',
    tag: 'sign-in',
    summary: 'Lets an agent in, or turns it away',
    refusals: [403, 404],
  },
  'GET /api/v1/tunnels': { id: 'listTunnels', tag: 'upstreams', summary: 'My tunnels; an admin: all' },
  'GET /api/v1/tunnels/{id}/consequences': {
    id: 'countTunnelConsequences',
    tag: 'upstreams',
    summary: 'How much goes with it',
    refusals: [403, 404],
  },
  'PATCH /api/v1/tunnels/{id}': {
    id: 'changeTunnel',
    tag: 'upstreams',
    summary: 'With whom it is shared; its plain name',
    refusals: [403, 404, 409],
  },
  'DELETE /api/v1/tunnels/{id}': {
    id: 'removeTunnel',
    tag: 'upstreams',
    summary: 'Disconnects it and forgets it',
    refusals: [403, 404],
  },
  'GET /reverse-proxy/sessions': {
    id: 'listAgentSessions',
    tag: 'upstreams',
    summary: 'Sessions of ContextForge agents: mine; an admin: all',
  },
  'DELETE /reverse-proxy/sessions/{id}': {
    id: 'disconnectAgentSession',
    tag: 'upstreams',
    summary: 'Hangs up',
    refusals: [403, 404],
  },
  'POST /reverse-proxy/sessions/{id}/request': {
    id: 'sendToAgentSession',
    tag: 'upstreams',
    summary: 'Sends one JSON-RPC message; with Prefer: wait=N the answer is its reply',
    refusals: [403, 404],
  },
  'GET /reverse-proxy/sse/{id}': {
    id: 'streamAgentSession',
    tag: 'upstreams',
    summary: 'The messages of one, as they come; Last-Event-ID goes on from there',
    answers: { 200: { what: 'Server-sent events', type: 'text/event-stream' } },
    refusals: [403, 404],
  },
  'GET /api/v1/upstreams': { id: 'listUpstreams', tag: 'upstreams', summary: 'All upstreams' },
  'POST /api/v1/upstreams': { id: 'createUpstream', tag: 'upstreams', summary: 'Adds one', refusals: [409] },
  'PUT /api/v1/upstreams/{id}': {
    id: 'replaceUpstream',
    tag: 'upstreams',
    summary: 'Changes one that was added here; a key that is left out is kept',
    refusals: [409],
  },
  'DELETE /api/v1/upstreams/{id}': {
    id: 'removeUpstream',
    tag: 'upstreams',
    summary: 'Removes one that was added here',
    refusals: [409],
  },
  'GET /api/v1/upstreams/{id}/consequences': {
    id: 'countUpstreamConsequences',
    tag: 'upstreams',
    summary: 'How much goes with it',
  },
  'POST /api/v1/upstreams/test': {
    id: 'testUpstream',
    tag: 'upstreams',
    summary: 'Tries to reach one',
    refusals: [404],
  },

  'GET /api/v1/users': { id: 'listUsers', tag: 'admin', summary: 'Everybody who is known here' },
  'PATCH /api/v1/users/{id}': {
    id: 'updateUser',
    tag: 'admin',
    summary: 'Disables or enables somebody, makes them an admin or takes it back',
    refusals: [409],
  },
  'DELETE /api/v1/users/{id}': {
    id: 'removeUser',
    tag: 'admin',
    summary: 'Removes somebody for good, with their sessions, keys and grants',
    refusals: [409],
  },
  'GET /api/v1/users/{id}/consequences': {
    id: 'countConsequences',
    tag: 'admin',
    summary: 'How much goes with somebody',
  },
  'POST /api/v1/users/{id}/password-link': {
    id: 'createPasswordLink',
    tag: 'admin',
    summary: 'A link to a new password for somebody who forgot theirs, shown this once',
    refusals: [409],
  },
  'GET /api/v1/invitations': {
    id: 'listInvitations',
    tag: 'admin',
    summary: 'Invitations to local accounts that are open',
  },
  'POST /api/v1/invitations': {
    id: 'createInvitation',
    tag: 'admin',
    summary: 'Invites somebody to a local account; the link is shown this once',
    refusals: [409],
  },
  'DELETE /api/v1/invitations/{id}': {
    id: 'revokeInvitation',
    tag: 'admin',
    summary: 'Withdraws one; its link stops working',
  },
  'GET /api/v1/providers': {
    id: 'listProviders',
    tag: 'admin',
    summary: 'Where people sign in, without secrets',
  },
  'POST /api/v1/providers': { id: 'createProvider', tag: 'admin', summary: 'Adds one', refusals: [409] },
  'PUT /api/v1/providers/{id}': {
    id: 'replaceProvider',
    tag: 'admin',
    summary: 'Changes one that was added here; a secret that is left out is kept',
    refusals: [409],
  },
  'DELETE /api/v1/providers/{id}': {
    id: 'removeProvider',
    tag: 'admin',
    summary: 'Removes one that was added here, with its sessions and grants',
    refusals: [409],
  },
  'GET /api/v1/providers/{id}/consequences': {
    id: 'countProviderConsequences',
    tag: 'admin',
    summary: 'How much goes with it',
  },
  'POST /api/v1/providers/test': {
    id: 'testProvider',
    tag: 'admin',
    summary: 'Tries to reach one',
    refusals: [404],
  },
  'GET /api/v1/audit': {
    id: 'listAuditEvents',
    tag: 'admin',
    summary: 'Who did what, newest first, page by page',
  },
  'GET /api/v1/audit/export': {
    id: 'exportAudit',
    tag: 'admin',
    summary: 'All of it, one event a line',
    answers: { 200: { what: 'JSON Lines', type: 'application/x-ndjson' } },
  },
  'GET /api/v1/health': { id: 'getHealth', tag: 'admin', summary: 'What `sallyport doctor` says' },

  'GET /api/v1/sign-in-options': { id: 'listSignInOptions', tag: 'sign-in', summary: 'The ways in' },
  'POST /auth/local': {
    id: 'signInLocally',
    tag: 'sign-in',
    summary: 'Sign in with the password of a local account',
    refusals: [401, 403],
  },
  'POST /api/v1/invitations/open': {
    id: 'openInvitation',
    tag: 'sign-in',
    summary: 'What an invitation, or a link to a new password, is for',
    refusals: [403, 410],
  },
  'POST /api/v1/invitations/accept': {
    id: 'acceptInvitation',
    tag: 'sign-in',
    summary: 'Chooses the password, spends the link, and signs in',
    refusals: [403, 409, 410],
  },
  'GET /auth/login': {
    ...signIn,
    id: 'chooseProvider',
    summary: 'Offers the ways in',
    answers: { 200: page, 303: { what: "Leads to the console's page for it" } },
  },
  'GET /auth/first-admin': {
    ...signIn,
    id: 'useAdminLink',
    summary: 'The link that the first start prints: makes the first admin, once',
    answers: { 303: away },
    refusals: [400, 410],
  },
  'POST /auth/logout': {
    id: 'signOut',
    tag: 'sign-in',
    summary: 'Ends my session, and leads to where the provider ends its own',
    answers: {
      200: { what: '`{"redirect": …}`, where JSON is accepted', type: 'application/json' },
      303: away,
    },
  },
  'GET /auth/return': {
    id: 'returnToPort',
    tag: 'sign-in',
    summary: 'Leads back to another port of this host',
    answers: { 303: away },
  },
  'POST /auth/{provider}/backchannel-logout': {
    id: 'endSessionsByProvider',
    tag: 'sign-in',
    summary: 'A provider ends the sessions that began with it (OIDC Back-Channel Logout 1.0)',
    answers: { 200: { what: 'Done' } },
    refusals: [400, 502],
    refusalType: 'application/json',
  },
  ...both('GET', 'login', {
    ...signIn,
    id: 'beginSignIn',
    summary: 'Leads to the provider',
    answers: { 303: away },
  }),
  ...both('GET', 'callback', {
    ...signIn,
    id: 'endSignIn',
    summary: "The provider's answer in the query",
    answers: { 303: away },
  }),
  ...both('POST', 'callback', {
    ...signIn,
    id: 'endSignInByForm',
    summary: "The provider's answer as a form (form_post)",
    answers: { 303: away },
  }),
};

/** Under both of its names; the second is what other products call it. */
function both(method: string, step: string, entry: Entry): Record<string, Entry> {
  return {
    [`${method} /auth/{provider}/${step}`]: entry,
    [`${method} /oauth/{provider}/${step}`]: { ...entry, id: `${entry.id}Alias` },
  };
}
