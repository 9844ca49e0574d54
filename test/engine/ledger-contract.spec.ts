import { afterAll, beforeAll } from 'vitest';
import { commitRuns } from '../../libs/runs/src/ledger/commit-runs.js';
import { loadRuns } from '../../libs/runs/src/ledger/load-runs.js';
import { testLedger } from '../support/ledger-contract/ledger-contract.js';
import { startLedger, type TestLedger } from '../support/ledger.js';

let server: TestLedger;

beforeAll(async () => {
  server = await startLedger();
});

afterAll(() => server?.stop());

testLedger(() => {
  const { pool } = server;
  return {
    open: (mayJudge) => server.open(mayJudge).ledger,
    load: async (runId) => (await loadRuns(pool, [runId], true))[0],
    commit: async (change) => (await commitRuns(pool, [change]))[0] ?? false,
    events: async (runId) => {
      const text = 'SELECT type, data FROM events WHERE run_id = $1 ORDER BY seq';
      return (await pool.query(text, [runId])).rows;
    },
    // For an hour: who is called dead must not depend on how fast the tests are.
    beat: async (epoch) => {
      const text = `INSERT INTO processes (epoch, service, seen_at) VALUES ($1, 'test', now() + interval '1 h')
                    ON CONFLICT (epoch) DO NOTHING`;
      await pool.query(text, [epoch]);
    },
    // The clock is Postgres's: everything becomes older instead.
    pass: async (ms) => {
      const by = `- ${ms} * interval '1 ms'`;
      await pool.query(`UPDATE runs SET due_at = due_at ${by}, deadline_at = deadline_at ${by}`);
      await pool.query(`UPDATE calls SET ready_at = ready_at ${by}`);
      await pool.query(`UPDATE processes SET seen_at = seen_at ${by}`);
    },
    deleteTenant: async (tenantId) => {
      await pool.query('UPDATE tenants SET deleted_at = now() WHERE id = $1', [tenantId]);
    },
  };
});
