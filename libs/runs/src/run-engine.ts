import type { Logger } from '#libs/telemetry';
import type { Redis } from 'ioredis';
import { offer, type HintQueues } from './hint-queues.js';
import type { Acceptance, Applied, Ledger, NewRun } from './ledger.js';
import type { RunInput } from './reducer.js';
import { publishRunChanged } from './run-notices.js';

/**
 * What the apps use: each change of a run is committed to the ledger first; hints and notices follow the commit, and may
 * be lost.
 */
export class RunEngine {
  constructor(
    readonly ledger: Ledger,
    private readonly queues: HintQueues,
    private readonly redis: Redis,
    private readonly log: Logger,
  ) {}

  async accept(run: NewRun): Promise<Acceptance> {
    const acceptance = await this.ledger.accept(run);
    if (acceptance.kind === 'accepted') {
      await offer(this.queues, this.log, { kind: 'turn', runId: run.id });
    }
    return acceptance;
  }

  async apply(runId: string, input: RunInput): Promise<Applied> {
    const applied = await this.ledger.apply(runId, input);
    if (applied.refused) return applied;
    await Promise.all([
      publishRunChanged(this.redis, this.log, runId),
      ...applied.offers.map((callId) =>
        offer(this.queues, this.log, { kind: 'call', runId, callId }),
      ),
    ]);
    return applied;
  }
}
