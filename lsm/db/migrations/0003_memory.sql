INSERT INTO lsm_counters (name, next_value) VALUES
    ('memory', 1), ('memory_vector', 1), ('memory_rewrites', 0);

-- What is remembered. A candidate is a row with status 'pending' and its row in the queue below.
CREATE TABLE lsm_agent_memories (
    -- In the order of arrival: what the indexes and the pages of a list go by.
    number           BIGINT  NOT NULL PRIMARY KEY,
    id               TEXT    NOT NULL UNIQUE,
    memory_type      TEXT    NOT NULL,
    memory_key       TEXT,
    text             TEXT    NOT NULL,
    text_hash        TEXT    NOT NULL,
    value_json       TEXT    NOT NULL,
    scope            TEXT    NOT NULL,
    tags_json        TEXT    NOT NULL,
    confidence       DOUBLE PRECISION NOT NULL CHECK (confidence >= 0 AND confidence <= 1),
    status           TEXT    NOT NULL CHECK (status IN (
        'pending', 'active', 'superseded', 'expired', 'quarantined', 'rejected', 'deleted')),
    trust            TEXT    NOT NULL CHECK (trust IN ('user', 'reviewed', 'agent', 'untrusted')),
    pinned           BOOLEAN NOT NULL,
    author           TEXT    NOT NULL,
    source_run_id    TEXT,
    version          BIGINT  NOT NULL CHECK (version > 0),
    created_at       TEXT    NOT NULL CHECK (length(created_at) = 27),
    updated_at       TEXT    NOT NULL CHECK (length(updated_at) = 27),
    last_used_at     TEXT    CHECK (length(last_used_at) = 27),
    last_verified_at TEXT    CHECK (length(last_verified_at) = 27),
    expires_at       TEXT    CHECK (length(expires_at) = 27),
    deleted_at       TEXT    CHECK (length(deleted_at) = 27),
    stale_since      TEXT    CHECK (length(stale_since) = 27),
    superseded_by    TEXT    REFERENCES lsm_agent_memories (id) ON DELETE SET NULL
);
-- The same words are kept once in a scope and type; what was refused is not proposed again.
CREATE UNIQUE INDEX lsm_agent_memories_text
    ON lsm_agent_memories (text_hash, scope, memory_type, coalesce(memory_key, ''))
 WHERE status IN ('pending', 'active', 'quarantined', 'rejected');
CREATE INDEX lsm_agent_memories_scope ON lsm_agent_memories (scope, number)
 WHERE status = 'active';
CREATE INDEX lsm_agent_memories_key ON lsm_agent_memories (memory_key, scope)
 WHERE status = 'active' AND memory_key IS NOT NULL;
-- Active ones are left out: nearly all rows are, and a scope narrows them down better.
CREATE INDEX lsm_agent_memories_hidden ON lsm_agent_memories (status, number)
 WHERE status <> 'active';
CREATE INDEX lsm_agent_memories_expiry ON lsm_agent_memories (expires_at)
 WHERE expires_at IS NOT NULL;
CREATE INDEX lsm_agent_memories_run ON lsm_agent_memories (source_run_id)
 WHERE source_run_id IS NOT NULL;
CREATE INDEX lsm_agent_memories_successor ON lsm_agent_memories (superseded_by)
 WHERE superseded_by IS NOT NULL;

-- The review queue: what somebody else than a person wants to have remembered.
CREATE TABLE lsm_agent_memory_candidates (
    id         TEXT NOT NULL PRIMARY KEY,
    memory_id  TEXT NOT NULL UNIQUE REFERENCES lsm_agent_memories (id) ON DELETE CASCADE,
    provenance TEXT NOT NULL,
    rationale  TEXT NOT NULL,
    status     TEXT NOT NULL CHECK (status IN ('pending', 'promoted', 'rejected', 'expired')),
    reason     TEXT NOT NULL,
    reviewer   TEXT NOT NULL,
    -- The memory it is to take the place of.
    supersedes TEXT REFERENCES lsm_agent_memories (id) ON DELETE SET NULL,
    created_at TEXT NOT NULL CHECK (length(created_at) = 27),
    updated_at TEXT NOT NULL CHECK (length(updated_at) = 27)
);
CREATE INDEX lsm_agent_memory_candidates_status ON lsm_agent_memory_candidates (status, created_at);
CREATE INDEX lsm_agent_memory_candidates_supersedes ON lsm_agent_memory_candidates (supersedes)
 WHERE supersedes IS NOT NULL;

-- Where a memory comes from. A source in the library is held to its chunk, or, without one, to
-- its document; content_hash is what stood there when it was last seen to support the memory.
CREATE TABLE lsm_memory_sources (
    memory_id    TEXT   NOT NULL REFERENCES lsm_agent_memories (id) ON DELETE CASCADE,
    position     BIGINT NOT NULL,
    kind         TEXT   NOT NULL CHECK (kind IN ('chunk', 'document', 'run', 'url', 'person', 'memory')),
    ref          TEXT   NOT NULL,
    quote        TEXT   NOT NULL,
    content_hash TEXT,
    line         BIGINT,
    document_id  BIGINT,
    chunk_id     BIGINT REFERENCES lsm_chunks (chunk_id) ON DELETE SET NULL,
    stale_since  TEXT   CHECK (length(stale_since) = 27),
    PRIMARY KEY (memory_id, position)
);
CREATE INDEX lsm_memory_sources_document ON lsm_memory_sources (document_id)
 WHERE document_id IS NOT NULL;
CREATE INDEX lsm_memory_sources_chunk ON lsm_memory_sources (chunk_id)
 WHERE chunk_id IS NOT NULL;
CREATE INDEX lsm_memory_sources_ref ON lsm_memory_sources (ref);

-- Every change: the memory as it was afterwards. What it was before is the row before.
CREATE TABLE lsm_memory_revisions (
    memory_id  TEXT   NOT NULL REFERENCES lsm_agent_memories (id) ON DELETE CASCADE,
    version    BIGINT NOT NULL,
    changed_at TEXT   NOT NULL CHECK (length(changed_at) = 27),
    action     TEXT   NOT NULL,
    author     TEXT   NOT NULL,
    reason     TEXT   NOT NULL,
    run_id     TEXT,
    state_json TEXT   NOT NULL,
    PRIMARY KEY (memory_id, version)
);
CREATE INDEX lsm_memory_revisions_run ON lsm_memory_revisions (run_id) WHERE run_id IS NOT NULL;
CREATE INDEX lsm_memory_revisions_time ON lsm_memory_revisions (changed_at);

-- What was handed to a model, and in which version.
CREATE TABLE lsm_memory_contexts (
    context_id TEXT   NOT NULL PRIMARY KEY,
    created_at TEXT   NOT NULL CHECK (length(created_at) = 27),
    query      TEXT   NOT NULL,
    scope      TEXT   NOT NULL,
    run_id     TEXT,
    tokens     BIGINT NOT NULL
);
CREATE INDEX lsm_memory_contexts_time ON lsm_memory_contexts (created_at);
CREATE TABLE lsm_memory_context_uses (
    context_id TEXT   NOT NULL REFERENCES lsm_memory_contexts (context_id) ON DELETE CASCADE,
    position   BIGINT NOT NULL,
    memory_id  TEXT   NOT NULL REFERENCES lsm_agent_memories (id) ON DELETE CASCADE,
    version    BIGINT NOT NULL,
    PRIMARY KEY (context_id, position)
);
CREATE INDEX lsm_memory_context_uses_memory ON lsm_memory_context_uses (memory_id);
