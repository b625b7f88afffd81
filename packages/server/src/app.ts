import manifest from '../package.json' with { type: 'json' };
import { may } from './access/access.ts';
import { joinCheck } from './app-check.ts';
import { joinIdentity } from './app-identity.ts';
import { joinMcp } from './app-mcp.ts';
import { joinRecordings } from './app-recordings.ts';
import { joinRecords } from './app-records.ts';
import { joinShells } from './app-shells.ts';
import { joinSignIn } from './app-sign-in.ts';
import { joinTerminals } from './app-terminals.ts';
import { joinTunnels } from './app-tunnels.ts';
import { joinWebSockets } from './app-web-sockets.ts';
import { type AuditTrail, createAudit } from './audit/audit.ts';
import { createAuditStore } from './audit/audit-store.ts';
import { createElsewhere } from './audit/elsewhere.ts';
import { purgeAudit } from './audit/retention.ts';
import { auditRoutes } from './audit/routes.ts';
import type { Gateway } from './cli/gateway.ts';
import { createEntryReader } from './config/entries.ts';
import type { Config } from './config/types.ts';
import { createForward } from './forward/forward.ts';
import { returnRoutes } from './forward/return-routes.ts';
import { forwardRoutes } from './forward/routes.ts';
import { createWays } from './forward/ways.ts';
import { createAnswers } from './http/answers.ts';
import { createApi } from './http/api.ts';
import { checkProvider } from './http/checks.ts';
import { consoleRoutes } from './http/console.ts';
import { findConsole } from './http/console-files.ts';
import { createEvents } from './http/events.ts';
import { createExamination } from './http/examination.ts';
import { createLookups, watchGateway } from './http/gateway-metrics.ts';
import { createCrossSiteGuard, createHostGuard, guarded } from './http/guards.ts';
import { createGuesses } from './http/guesses.ts';
import { checkRoutes, healthRoutes } from './http/health.ts';
import { createMetricsProof, metricsRoutes } from './http/metrics.ts';
import { createRequestIds } from './http/request-id.ts';
import { createHttpServer } from './http/server.ts';
import { createThrottle } from './http/throttle.ts';
import { adminLinkRoutes } from './identity/admin-link-routes.ts';
import { agentLoginRoutes } from './identity/agent-login-routes.ts';
import { credentialsOf } from './identity/credentials.ts';
import { homeRoutes } from './identity/home-routes.ts';
import { localRoutes } from './identity/local-routes.ts';
import { logoutRoutes } from './identity/logout-routes.ts';
import { providerAdminRoutes } from './identity/provider-admin-routes.ts';
import { createProviderAdministration } from './identity/provider-administration.ts';
import { createProviders } from './identity/providers.ts';
import { identityRoutes } from './identity/routes.ts';
import { sessionCookie } from './identity/session-cookie.ts';
import type { Sessions } from './identity/sessions.ts';
import { signInOptionsRoutes } from './identity/sign-in-options-routes.ts';
import { signInRoutes } from './identity/sign-in-routes.ts';
import { userRoutes } from './identity/user-routes.ts';
import type { UserStore } from './identity/user-store.ts';
import { mayJoined, withJoined } from './mcp/joined/joined-upstream.ts';
import { createBus } from './platform/bus.ts';
import { createAddressOf } from './platform/client-address.ts';
import { type Database, openDatabase } from './platform/db/db.ts';
import { migrate, missingMigrations } from './platform/db/migrate.ts';
import { assertAnswers, type Patience, reachDatabase } from './platform/db/reach.ts';
import { createDefinitionStore } from './platform/definitions/definition-store.ts';
import { every } from './platform/every.ts';
import type { Logger } from './platform/log.ts';
import { createMetrics } from './platform/metrics.ts';
import { isLoopbackHost, rangeTest } from './platform/net.ts';
import { createGuardedFetch } from './platform/net-fetch.ts';
import { createAuthorizationServers } from './platform/oauth/authorization-servers.ts';
import { watchProcess } from './platform/process-metrics.ts';
import type { Runtime } from './platform/runtime.ts';
import { createTerminalStore } from './terminals/terminal-store.ts';
import { upstreamAdminRoutes } from './upstreams/admin-routes.ts';
import { createProbe } from './upstreams/probe.ts';
import { upstreamRoutes } from './upstreams/routes.ts';
import { createUpstreamEdits } from './upstreams/upstream-edits.ts';
import { createUpstreams } from './upstreams/upstreams.ts';
import { createGrantStore } from './vault/grant-store.ts';
import { loadKeyring } from './vault/keyring.ts';
import { createRefresh } from './vault/refresh.ts';
import { createRefreshNews } from './vault/refresh-news.ts';
import { assertKeysPresent } from './vault/rotate.ts';
import { vaultRoutes } from './vault/routes.ts';
import { createSealer } from './vault/seal.ts';
import { startSweep } from './vault/sweep.ts';
import { createTokenEndpoint } from './vault/token-endpoint.ts';
import { createVault, type Vault } from './vault/vault.ts';

/** How often what has expired is cleared away, milliseconds. */
const PURGE = 10 * 60_000;
/** An orchestrator's own patience with a probe is a second or a few (Kubernetes: 1), milliseconds. */
const READY_WITHIN = 900;
/** A grant that can no longer be used, and that nobody asked for in this time, is forgotten, milliseconds. */
const UNUSED = 30 * 24 * 60 * 60_000;
/** What another process changed is known here within 5 s: with its jitter 4.4 s, the rest is the database's; milliseconds. */
const LOOK_AGAIN = 3_500;

/** A whole gateway, joined but not yet listening. */
export interface App extends Gateway {
  readonly config: Config;
  readonly database: Database;
  readonly audit: AuditTrail;
  readonly identity: Gateway['identity'] & {
    readonly sessions: Sessions;
    readonly users: UserStore;
  };
  readonly vault: Gateway['vault'] & Pick<Vault, 'storeGrant'>;
}

/**
 * Constructs every room and hands each what it needs of the others. What is opened here is closed by disposing the result, the last
 * opened first.
 * @throws AppError `config_invalid` when the database, the keys and the configuration do not fit together
 */
export async function createApp(deps: {
  config: Config;
  runtime: Runtime;
  log: Logger;
  /** For a database that does not answer yet; none for a command, whose person sees it and tries again. */
  patience?: Patience;
}): Promise<App> {
  const { config, runtime, log } = deps;
  const { publicUrl } = config;
  await using opening = new AsyncDisposableStack();

  const database = opening.use(openDatabase(config.store, runtime));
  await reachDatabase(database, {
    store: config.store,
    patience: deps.patience ?? null,
    runtime,
    waiting: reason => log.warn({ reason }, 'the database does not answer yet; it is asked on'),
  });
  await migrate(database);
  const { db } = database;
  const bus = createBus();
  const metrics = createMetrics();
  const lookups = createLookups();
  const auditStore = createAuditStore(db);
  const audit = opening.use(createAudit({ store: auditStore, bus, metrics, runtime, log }));
  const { version } = manifest;
  const records = opening.use(
    joinRecords({ config, version, store: auditStore, metrics, bus, runtime, log }),
  );
  const { failing } = records;
  const fetch = opening.use(
    createGuardedFetch({ insecureHttp: config.insecureHttp, privateAddresses: true }),
  );

  const sealer = createSealer(
    loadKeyring({ keys: config.encryptionKeys, dataDir: config.dataDir, runtime, log }),
    runtime,
  );
  const grants = createGrantStore(db);
  const exposed = !isLoopbackHost(config.listen.host);
  const reader = createEntryReader({ insecureHttp: config.insecureHttp, exposed });
  const defining = { sealer, reader, log };
  const providers = createProviders({
    ...defining,
    configured: config.providers,
    store: createDefinitionStore(db, 'provider'),
    changed(providerId, was) {
      administration.changed(providerId, was);
      bus.publish({ topic: 'provider-changed', providerId });
    },
  });
  const { insecureHttp } = config;
  const servers = createAuthorizationServers({ providers, fetch, runtime, insecureHttp });
  const upstreams = createUpstreams({
    ...defining,
    configured: config.upstreams,
    store: createDefinitionStore(db, 'upstream'),
    bus,
  });
  const retention = config.auditRetention;
  const recordings = joinRecordings({ db, sealer, audit, bus, retention, runtime, log });
  const shelves = [providers.shelf, upstreams.shelf, recordings.shelf];
  await assertKeysPresent([grants, ...shelves], sealer);
  const endpoint = createTokenEndpoint({ configurationFor: servers.configurationFor, runtime });
  const refresh = opening.use(
    createRefresh({
      store: grants,
      sealer,
      endpoint,
      runtime,
      log,
      changed: createRefreshNews({ bus, metrics, audit }),
    }),
  );
  const vault = createVault({
    store: grants,
    shelves,
    sealer,
    refresh,
    endpoint,
    runtime,
    bus,
    audit,
    log,
    providers,
    lookups: lookups.grant,
    config,
  });

  const addressOf = createAddressOf(config.trustedProxies);
  const isProxy = rangeTest(config.trustedProxies);
  const { users, keyStore, keys, sessions, identity, standing } = joinIdentity({
    db,
    config,
    runtime,
    bus,
    audit,
    addressOf,
    fetch,
    lookups,
  });

  const people = { db, users, sessions, keys, servers, vault, sealer, fetch, bus, audit, runtime, log };
  const { signIns, signIn, adminLinks, localAccounts, invitations, removal, logout, agentLogins } =
    joinSignIn({
      ...people,
      publicUrl,
      config,
    });
  const administration = createProviderAdministration({
    providers,
    reader,
    servers,
    signIns,
    users,
    sessions,
    vault,
    upstreams,
    log,
  });
  await Promise.all([providers.load(), upstreams.load()]);

  const now = () => runtime.monotonic();
  const authenticate = createGuesses({
    authenticate: identity.authenticate,
    rate: config.rates.proof.address,
    addressOf,
    now,
  });
  const guard = createCrossSiteGuard(publicUrl);
  /** Where a session is made, and so is not there yet to be guarded. */
  const refuseCrossSite = (request: Parameters<typeof guard>[1]) => guard({ proof: 'anonymous' }, request);
  const answers = createAnswers(log);
  const shells = opening.use(joinShells({ config, runtime, log }));
  const embedded = shells.connect;
  const ways = opening.use(createWays({ configured: config.upstreams, upstreams, bus, embedded }));
  const shared = { vault, publicUrl, addressOf, metrics, bus, audit, runtime, log };
  const joined = joinTunnels({
    ...shared,
    db,
    authenticate,
    guard,
    standing,
    upstreams,
    ways,
    users,
    keysLimitedTo: keyStore.limitedTo,
    perUser: config.tunnelsPerUser,
    rate: config.rates.tunnel.principal,
    queryToken: config.tunnelQueryToken,
    answerProblem: answers.problem,
  });
  const { tunnels, destinations, transportTo, upgrades } = joined;
  opening.use(tunnels);
  const forward = createForward({
    identity: { authenticate },
    upstreams: withJoined(destinations),
    guard: (principal, call) => guard(principal, call.req),
    may: mayJoined(may),
    vault,
    transportTo,
    bus,
    addressOf,
    trace: records.trace,
    runtime,
    standing,
    record: records.call,
  });
  opening.use(every(3_000, 'looking whether open calls may go on', forward.check, { runtime, log }));
  watchGateway(metrics, { upstreams, open: forward.open, grants: grants.states, lookups, runtime });

  const check = joinCheck({
    ...shared,
    config,
    identity,
    may,
    upstreams,
    record: records.check,
    answerProblem: answers.problem,
  });

  const upstreamEdits = createUpstreamEdits({ upstreams, reader, providers });
  const probe = createProbe({ dial: ways.dial, vault, runtime });

  const examine = createExamination({
    config,
    checkDatabase,
    unreadable: vault.unreadable,
    providers,
    upstreams,
    runtime,
  });

  const events = createEvents({
    bus,
    standing,
    elsewhere: createElsewhere({ store: auditStore, runtime }),
    open: metrics.gauge('sallyport_event_streams', 'Event streams that consoles have open.'),
    runtime,
    log,
  });
  const consoleDir = findConsole();
  const pages =
    consoleDir === null
      ? homeRoutes({ sessions, upstreams, may, publicUrl })
      : consoleRoutes({ dir: consoleDir });
  const requestId = createRequestIds(runtime);
  const api = await createApi({
    authenticate: guarded(guard, request => authenticate(credentialsOf(request))),
    mayReadMetrics: createMetricsProof(config.metricsTokens),
    addressOf,
    throttle: createThrottle(
      { 'sign-in': config.rates.signIn, token: config.rates.token, key: config.rates.key },
      now,
    ),
    log,
    requestId,
    document: { publicUrl, version, cookie: sessionCookie(publicUrl).name },
    plugins: [
      pages,
      events.routes,
      healthRoutes({
        checkDatabase,
        missingMigrations: () => missingMigrations(database),
        unreadable: vault.unreadable,
      }),
      checkRoutes({ examine }),
      metricsRoutes({ metrics }),
      identityRoutes({
        keys,
        sessions,
        gateway: {
          name: 'Sallyport',
          version,
          publicUrl,
          localAccounts: config.localAccounts,
        },
        users,
        runtime,
      }),
      userRoutes({ users, sessions, removal, bus, audit }),
      signInOptionsRoutes({ providers, users, localAccounts: config.localAccounts }),
      providerAdminRoutes({
        providers,
        ...administration,
        examine: provider => checkProvider(provider, config, runtime),
        audit,
      }),
      ...(config.localAccounts ? localRoutes({ localAccounts, invitations, refuseCrossSite }) : []),
      signInRoutes({ signIn, providers, publicUrl, console: consoleDir !== null }),
      returnRoutes({ publicUrl }),
      logoutRoutes({ logout }),
      adminLinkRoutes({ adminLinks }),
      vaultRoutes({ vault, upstreams, may, providers }),
      upstreamRoutes({ ...joined.health(failing), may, vault, publicUrl, runtime }),
      upstreamAdminRoutes({
        upstreams,
        edits: upstreamEdits,
        probe,
        keysLimitedTo: keyStore.limitedTo,
        openCalls: forward.open,
        terminalsAt: createTerminalStore(db).countAt,
        audit,
      }),
      ...joined.routes,
      agentLoginRoutes({ logins: agentLogins, publicUrl }),
      recordings.routes,
      auditRoutes({ store: auditStore, settled: audit.settled }),
    ],
  });

  const mcp = opening.use(
    joinMcp({
      ...shared,
      ...joined,
      may,
      failing,
      forward,
      sealer,
      answerRpc: answers.rpc,
    }),
  );

  const terminals = joinTerminals({
    ...shared,
    ...joined,
    ...joined.health(failing),
    db,
    may,
    authenticate,
    guard,
    standing,
    record: recordings.record,
    forward,
    answerProblem: answers.problem,
    answerJson: answers.json,
  });

  const proof = { authenticate, guard, standing, may };
  const webSockets = joinWebSockets({ ...shared, ...joined, ...proof, record: records.call });

  let port = config.listen.port;
  const server = createHttpServer({
    routes: [
      check,
      joined.fallback,
      mcp.route,
      ...terminals.routes,
      ...forwardRoutes({
        ...shared,
        forward,
        upstreams,
        may,
        transportTo: ways.to,
        named: destinations,
        used: records.uses.count,
        record: records.call,
        timeout: 3_000,
        answerProblem: answers.problem,
        answerOpenai: answers.openai,
        answerJson: answers.json,
      }),
    ],
    upgrades: [...upgrades, ...terminals.upgrades, webSockets.route],
    api,
    guardHost: createHostGuard({ publicUrl, allowedHosts: config.allowedHosts, port: () => port }),
    answerProblem: answers.problem,
    requestId,
    runtime,
    log,
    exempt: address => isLoopbackHost(address) || isProxy(address),
    limits: { drain: config.drain, socketsPerAddress: config.socketsPerAddress },
  });

  const open = opening.move();
  return {
    config,
    database,
    audit,
    identity: { keys, users, sessions, invitations: config.localAccounts ? invitations : null },
    providers,
    upstreams,
    vault: {
      storeGrant: vault.storeGrant,
      rotate: signal => vault.rotate({ signal }),
      unreadable: vault.unreadable,
    },
    adminLink: () => adminLinks.create(),
    async start() {
      await shells.start();
      await tunnels.start();
      const chore = (ms: number, name: string, ...work: (() => Promise<unknown>)[]) =>
        open.use(every(ms, name, () => Promise.all(work.map(act => act())), { runtime, log }));
      open.use(watchProcess(metrics, version));
      open.use(startSweep({ store: grants, refreshDue: vault.refreshDue, runtime, log }));
      const audited = () => purgeAudit(config.auditRetention, { store: auditStore, runtime });
      const unused = () => vault.purge(UNUSED);
      const { purge } = invitations;
      chore(
        PURGE,
        'clearing away what has expired',
        sessions.purge,
        signIn.purge,
        purge,
        unused,
        audited,
        recordings.purge,
        agentLogins.purge,
      );
      chore(LOOK_AGAIN, 'looking for changed providers and upstreams', providers.load, upstreams.load);
      open.use(server);
      // Before the server's drain, which would wait for streams that last for ever; and these end when nobody can come back to them.
      open.use(events);
      for (const lasting of [terminals, webSockets]) open.use(lasting).start();
      open.defer(() => server.stop());
      port = await server.listen(config.listen);
      const { host } = config.listen;
      return { url: `http://${host.includes(':') ? `[${host}]` : host}:${port}` };
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };

  function checkDatabase(): Promise<void> {
    return assertAnswers(database, READY_WITHIN, runtime);
  }
}
