-- Up Migration
-- What runs, calls and tenants need beyond their first form. All of it has defaults: processes of the version before go on
-- writing while this one is rolled out.
ALTER TABLE runs
  ADD COLUMN until text NOT NULL DEFAULT 'calls',
  ADD COLUMN budget json NOT NULL DEFAULT '{"turns":8,"calls":32,"tokens":100000}',
  ADD COLUMN priority smallint NOT NULL DEFAULT 0,
  ADD COLUMN cost integer NOT NULL DEFAULT 1,
  ADD COLUMN deadline_at timestamptz NOT NULL DEFAULT now() + interval '1 day',
  ADD COLUMN reply json,
  ADD COLUMN calls_made integer NOT NULL DEFAULT 0,
  ADD COLUMN tokens integer NOT NULL DEFAULT 0,
  ADD COLUMN replay_of uuid;

ALTER TABLE calls
  ADD COLUMN tries integer NOT NULL DEFAULT 0,
  ADD COLUMN asked json,
  ADD COLUMN approval text NOT NULL DEFAULT 'never',
  ADD COLUMN has_probe boolean NOT NULL DEFAULT false;

-- No index names a column that changes before the end, not even in its condition: every update until then stays HOT.
DROP INDEX runs_open_turns;
DROP INDEX calls_open;
CREATE INDEX runs_open ON runs (id) WHERE ended_at IS NULL;
CREATE INDEX runs_by_deadline ON runs (deadline_at) WHERE ended_at IS NULL;
CREATE INDEX runs_by_end ON runs (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX runs_by_toolset ON runs (toolset_hash);
CREATE INDEX idempotency_keys_by_run ON idempotency_keys (run_id);

-- `weight`: its share beside other tenants. `max_in_work`: most turns, and most calls, in work at once; null: any number.
ALTER TABLE tenants
  ADD COLUMN weight integer NOT NULL DEFAULT 1 CHECK (weight BETWEEN 1 AND 1000),
  ADD COLUMN max_in_work integer CHECK (max_in_work > 0),
  ADD COLUMN deleted_at timestamptz;

-- Where the sweep has got to in the open runs.
ALTER TABLE sweeps ADD COLUMN cursor uuid, ADD COLUMN number integer NOT NULL DEFAULT 0;

-- One row: the oldest schema level whose processes may still use this ledger. A migration that they could not live with
-- raises it; until then versions run side by side.
CREATE TABLE ledger_level (
  oldest integer NOT NULL
);
INSERT INTO ledger_level (oldest) VALUES (2);
