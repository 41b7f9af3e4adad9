-- What came from the files of a predecessor's home, and how it stands in this database.
CREATE TABLE lsm_legacy_files (
    file_id        TEXT   NOT NULL PRIMARY KEY,  -- SHA-256 of kind and path
    kind           TEXT   NOT NULL,
    source_path    TEXT   NOT NULL,
    file_hash      TEXT   NOT NULL,  -- SHA-256 of its bytes, sidecars included
    records        BIGINT NOT NULL,
    content_digest TEXT   NOT NULL,  -- of what it says, as it was read back from this database
    verified_at    TEXT   NOT NULL CHECK (length(verified_at) = 27)
);

-- One row a record. It stays when what it became is erased, so that it does not come back.
CREATE TABLE lsm_legacy_items (
    item_id       TEXT NOT NULL PRIMARY KEY,  -- SHA-256 of kind and key
    kind          TEXT NOT NULL,
    legacy_key    TEXT NOT NULL,
    source_path   TEXT NOT NULL,
    source_hash   TEXT NOT NULL,  -- of the record as it stood there
    outcome       TEXT NOT NULL CHECK (outcome IN (
        'imported', 'identical', 'merged', 'conflict', 'quarantined', 'skipped')),
    target_key    TEXT,
    target_digest TEXT,  -- of what it became: an edit since then is not overwritten
    reason        TEXT NOT NULL,
    imported_at   TEXT NOT NULL CHECK (length(imported_at) = 27)
);
CREATE INDEX lsm_legacy_items_kind ON lsm_legacy_items (kind, outcome);

-- Each record to the byte. A memory that is purged takes what it was made from along.
CREATE TABLE lsm_legacy_originals (
    item_id   TEXT  NOT NULL PRIMARY KEY,
    memory_id TEXT  REFERENCES lsm_agent_memories (id) ON DELETE CASCADE,
    original  BYTEA NOT NULL
);
CREATE INDEX lsm_legacy_originals_memory ON lsm_legacy_originals (memory_id)
 WHERE memory_id IS NOT NULL;

-- Records that this database cannot hold as what they are, or that stand against what is here.
CREATE TABLE lsm_legacy_quarantine (
    item_id        TEXT  NOT NULL PRIMARY KEY,
    kind           TEXT  NOT NULL,
    legacy_key     TEXT  NOT NULL,
    source_path    TEXT  NOT NULL,
    reason         TEXT  NOT NULL,
    memory_id      TEXT  REFERENCES lsm_agent_memories (id) ON DELETE CASCADE,
    original       BYTEA NOT NULL,
    quarantined_at TEXT  NOT NULL CHECK (length(quarantined_at) = 27)
);
CREATE INDEX lsm_legacy_quarantine_memory ON lsm_legacy_quarantine (memory_id)
 WHERE memory_id IS NOT NULL;
