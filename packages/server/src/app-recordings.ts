import type { Bus } from './platform/bus.ts';
import type { Db } from './platform/db/db.ts';
import type { Logger } from './platform/log.ts';
import type { Runtime } from './platform/runtime.ts';
import { createRecord, type Record } from './terminals/recorder.ts';
import { recordingRoutes } from './terminals/recording-routes.ts';
import { createRecordingStore } from './terminals/recording-store.ts';
import type { Audit } from './terms/audit.ts';
import type { Sealer, Shelf } from './terms/sealer.ts';

/** What terminals printed: kept, listed, forgotten. */
export function joinRecordings(deps: {
  db: Db;
  sealer: Sealer & { readonly kid: string };
  audit: Audit;
  bus: Pick<Bus, 'publish'>;
  /** Milliseconds that recordings are kept, as the audit is; null for ever. */
  retention: number | null;
  runtime: Runtime;
  log: Logger;
}): { record: Record; shelf: Shelf; routes: ReturnType<typeof recordingRoutes>; purge(): Promise<unknown> } {
  const { retention, bus } = deps;
  const store = createRecordingStore(deps);
  const changed = (userId: string) => bus.publish({ topic: 'recordings-changed', userId });
  return {
    record: createRecord({ ...deps, store, changed }),
    shelf: store.shelf,
    routes: recordingRoutes({ ...deps, store, changed }),
    purge: async () => (retention === null ? 0 : store.purge(retention)),
  };
}
