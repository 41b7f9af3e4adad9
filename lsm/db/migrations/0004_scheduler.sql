-- When agents run. One row a schedule; it stays, with its history, when its entry goes.
CREATE TABLE lsm_agent_schedules (
    schedule_id          TEXT   NOT NULL PRIMARY KEY,
    agent_name           TEXT   NOT NULL,
    last_run_at          TEXT   CHECK (length(last_run_at) = 27),
    next_run_at          TEXT   CHECK (length(next_run_at) = 27),
    last_status          TEXT   NOT NULL CHECK (last_status IN (
        'never', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost')),
    last_error           TEXT,
    queued_runs          BIGINT NOT NULL CHECK (queued_runs >= 0),
    updated_at           TEXT   NOT NULL,
    state                TEXT   NOT NULL CHECK (state IN (
        'active', 'paused', 'retired', 'exhausted')),
    pause_reason         TEXT,
    next_slot_at         TEXT   CHECK (length(next_slot_at) = 27),
    config_json          TEXT   NOT NULL,
    config_hash          TEXT   NOT NULL,
    source               TEXT   NOT NULL,
    fence                BIGINT NOT NULL,
    consecutive_failures BIGINT NOT NULL,
    missed_total         BIGINT NOT NULL,
    skipped_total        BIGINT NOT NULL,
    anchor_at            TEXT   NOT NULL CHECK (length(anchor_at) = 27),
    created_at           TEXT   NOT NULL,
    renamed_from         TEXT,
    -- The release of the time zone database that next_slot_at was computed with.
    planned_with         TEXT,
    -- What is due is found by next_run_at: only an active schedule may have one.
    CHECK ((state = 'active') = (next_run_at IS NOT NULL))
);
CREATE INDEX lsm_agent_schedules_due ON lsm_agent_schedules (next_run_at, schedule_id)
 WHERE state = 'active';
CREATE INDEX lsm_agent_schedules_source ON lsm_agent_schedules (source);

-- One row a run, a skip and a miss. A row in an end state never changes; a retry is a new row.
CREATE TABLE lsm_agent_runs (
    run_id              TEXT    NOT NULL PRIMARY KEY,
    schedule_id         TEXT    NOT NULL REFERENCES lsm_agent_schedules (schedule_id),
    slot_at             TEXT    NOT NULL CHECK (length(slot_at) = 27),
    origin              TEXT    NOT NULL CHECK (origin IN ('slot', 'manual', 'backfill')),
    attempt             BIGINT  NOT NULL CHECK (attempt > 0),
    state               TEXT    NOT NULL CHECK (state IN (
        'pending', 'running', 'succeeded', 'failed', 'timed_out', 'cancelled', 'lost',
        'skipped', 'missed')),
    reason              TEXT,
    not_before          TEXT    NOT NULL CHECK (length(not_before) = 27),
    coalesced           BIGINT  NOT NULL CHECK (coalesced >= 0),
    exclusive           BOOLEAN NOT NULL,
    params_json         TEXT,
    owner               TEXT,
    fence               BIGINT,
    beat                BIGINT  NOT NULL,
    lease_until         TEXT,
    cancel_requested_at TEXT,
    deadline_at         TEXT,
    created_at          TEXT    NOT NULL,
    started_at          TEXT,
    finished_at         TEXT,
    error               TEXT,
    result_json         TEXT,
    report              TEXT,
    UNIQUE (schedule_id, slot_at, origin, attempt),
    CHECK (state <> 'running' OR (owner IS NOT NULL AND fence IS NOT NULL))
);
-- "Never two at once" holds even if the code is wrong.
CREATE UNIQUE INDEX lsm_agent_runs_exclusive ON lsm_agent_runs (schedule_id)
 WHERE state = 'running' AND exclusive;
CREATE INDEX lsm_agent_runs_live ON lsm_agent_runs (schedule_id) WHERE state = 'running';
CREATE INDEX lsm_agent_runs_pending ON lsm_agent_runs (not_before, slot_at, run_id)
 WHERE state = 'pending';
CREATE INDEX lsm_agent_runs_queued ON lsm_agent_runs (schedule_id) WHERE state = 'pending';
CREATE INDEX lsm_agent_runs_recent ON lsm_agent_runs (created_at);
