-- Up Migration
-- `attempt` numbers the claims of a turn and only grows; `tries` is what was spent of its budget. A turn that is handed back
-- unanswered spends none. Processes of the version before leave the column alone: what they claim is counted in `attempt` only.
ALTER TABLE runs ADD COLUMN tries integer NOT NULL DEFAULT 0;
UPDATE runs SET tries = attempt WHERE state IN ('queued', 'inferring') AND attempt > 0;
