-- Up Migration
-- The ledger: the truth about every run. Payloads are `json`, not `jsonb`: key order is part of a prompt.

CREATE TABLE tenants (
  id text PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now()
);

-- Keys are random, so their plain SHA-256 is enough to look them up and useless to whoever reads it.
CREATE TABLE api_keys (
  hash bytea PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants,
  name text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz
);

-- Immutable, shared by all runs with the same content. Reached only through a run, hence no tenant.
CREATE TABLE toolsets (
  hash text PRIMARY KEY,
  body json NOT NULL
);

-- One row per living process; its heartbeat is the lease on everything it has claimed.
CREATE TABLE processes (
  epoch uuid PRIMARY KEY,
  service text NOT NULL,
  started_at timestamptz NOT NULL DEFAULT now(),
  seen_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);

CREATE TABLE runs (
  id uuid PRIMARY KEY,
  tenant_id text NOT NULL REFERENCES tenants,
  state text NOT NULL,
  version integer NOT NULL,
  mode text NOT NULL,
  mask text NOT NULL,
  toolset_name text NOT NULL,
  toolset_hash text NOT NULL REFERENCES toolsets,
  traceparent text NOT NULL,
  turn integer NOT NULL,
  attempt integer NOT NULL,
  token uuid,
  holder uuid,
  due_at timestamptz NOT NULL,
  outcome text,
  model text,
  confidence double precision,
  error json,
  created_at timestamptz NOT NULL DEFAULT now(),
  ended_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX runs_by_tenant ON runs (tenant_id, id DESC);
-- What the sweep looks at: turns that are ready or in flight.
CREATE INDEX runs_open_turns ON runs (id) WHERE state IN ('queued', 'inferring');

CREATE TABLE inputs (
  run_id uuid PRIMARY KEY REFERENCES runs,
  tenant_id text NOT NULL,
  messages json NOT NULL,
  -- The last user message, cut: lists must not read whole conversations.
  query text NOT NULL
);

CREATE TABLE calls (
  id uuid PRIMARY KEY,
  run_id uuid NOT NULL REFERENCES runs,
  tenant_id text NOT NULL,
  turn integer NOT NULL,
  position integer NOT NULL,
  name text NOT NULL,
  arguments json NOT NULL,
  effect text NOT NULL,
  state text NOT NULL,
  attempt integer NOT NULL,
  token uuid,
  holder uuid,
  result json,
  error json,
  ready_at timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX calls_by_run ON calls (run_id, turn, position);
CREATE INDEX calls_open ON calls (id) WHERE state IN ('ready', 'started');

CREATE TABLE events (
  run_id uuid NOT NULL REFERENCES runs,
  seq integer NOT NULL,
  tenant_id text NOT NULL,
  type text NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  data json NOT NULL,
  PRIMARY KEY (run_id, seq)
);

CREATE TABLE idempotency_keys (
  tenant_id text NOT NULL REFERENCES tenants,
  key text NOT NULL,
  body_hash bytea NOT NULL,
  run_id uuid NOT NULL REFERENCES runs,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, key)
);

-- Spans, kept here when no OTLP collector is configured.
CREATE TABLE spans (
  trace_id text NOT NULL,
  span_id text NOT NULL,
  parent_id text,
  body json NOT NULL,
  ended_at timestamptz NOT NULL,
  PRIMARY KEY (trace_id, span_id)
);
CREATE INDEX spans_by_parent ON spans (trace_id, parent_id);

-- One row: who sweeps last wrote it, so that the whole fleet sweeps about once a second.
CREATE TABLE sweeps (
  name text PRIMARY KEY,
  swept_at timestamptz NOT NULL
);
INSERT INTO sweeps (name, swept_at) VALUES ('ready', now());
