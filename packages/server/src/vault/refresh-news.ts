import type { Bus } from '../platform/bus.ts';
import type { Metrics } from '../platform/metrics.ts';
import { type Audit, gatewayFor } from '../terms/audit.ts';
import type { RefreshDeps } from './refresh.ts';

/** Tells everybody whom it concerns that a grant was refreshed, or could not be. */
export function createRefreshNews(deps: {
  bus: Pick<Bus, 'publish'>;
  metrics: Metrics;
  audit: Audit;
}): RefreshDeps['changed'] {
  const { bus, metrics, audit } = deps;
  return ({ id, userId, provider }, result) => {
    bus.publish({ topic: 'grant-changed', grantId: id, userId });
    metrics
      .counter('sallyport_refreshes_total', 'Refreshed grants by provider and result.', {
        provider,
        result: result === 'refreshed' || result === 'invalid_grant' ? result : 'transient',
      })
      .add();
    const action = result === 'invalid_grant' ? 'grant.reauth-required' : 'grant.refresh';
    audit.record({ action, ...gatewayFor(userId), target: id, detail: { provider, result } });
  };
}
