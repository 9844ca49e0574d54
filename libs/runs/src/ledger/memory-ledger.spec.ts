import { testLedger } from '../../../../test/support/ledger-contract/ledger-contract.js';
import { MemoryDatabase } from '../../../../test/support/memory-database.js';
import { memoryLedger } from '../../../../test/support/memory-ledger.js';

let now = 0;
const db = new MemoryDatabase(() => now);

testLedger(() => ({
  open: (mayJudge) => memoryLedger(db, { mayJudge }),
  load: async (runId) => db.load([runId], true)[0],
  commit: async (change) => db.commit([change])[0] ?? false,
  events: async (runId) => [...(db.rows.get(runId)?.events ?? [])],
  beat: async (epoch) => db.begin(epoch),
  pass: async (ms) => {
    now += ms;
  },
  deleteTenant: async (tenantId) => {
    db.deletedTenants.add(tenantId);
  },
}));
