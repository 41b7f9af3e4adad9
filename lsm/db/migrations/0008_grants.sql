-- What a person has allowed an agent to do beside reading and proposing, and until when.
CREATE TABLE lsm_agent_grants (
    grant_id        TEXT NOT NULL PRIMARY KEY,
    agent_name      TEXT NOT NULL,
    tool            TEXT NOT NULL,
    -- Of the definition that was granted it: an agent that is edited has to be granted anew.
    definition_hash TEXT NOT NULL CHECK (length(definition_hash) = 64),
    schedule_id     TEXT,  -- only in runs of this schedule; NULL: in any run
    run_id          TEXT,  -- only in this run, which was started with --allow; NULL: in any run
    granted_by      TEXT NOT NULL,
    granted_at      TEXT NOT NULL CHECK (length(granted_at) = 27),
    expires_at      TEXT NOT NULL CHECK (length(expires_at) = 27),
    last_used_at    TEXT CHECK (length(last_used_at) = 27),
    revoked_at      TEXT CHECK (length(revoked_at) = 27),
    revoked_by      TEXT,
    CHECK (expires_at > granted_at),
    CHECK ((revoked_at IS NULL) = (revoked_by IS NULL))
);
CREATE INDEX lsm_agent_grants_agent ON lsm_agent_grants (agent_name, tool, expires_at);
