-- What is true of the database itself: its identity, when it was made.
CREATE TABLE lsm_meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- Numbers that only grow. Rows are taken with UPDATE ... RETURNING, so two writers never share one.
CREATE TABLE lsm_counters (
    name       TEXT   NOT NULL PRIMARY KEY,
    next_value BIGINT NOT NULL
);
INSERT INTO lsm_counters (name, next_value) VALUES
    ('chunk', 1), ('document', 1), ('schema_version', 1), ('vector_space', 1),
    ('vector_rewrites', 0);

-- Folders and files that `lsm ingest` reads.
CREATE TABLE lsm_roots (
    root_path  TEXT NOT NULL PRIMARY KEY,
    origin     TEXT NOT NULL CHECK (origin IN ('config', 'command')),
    added_at   TEXT NOT NULL,
    scanned_at TEXT
);

-- One row for each run of ingest that changed something. A library can be read as of any of them.
CREATE TABLE lsm_versions (
    version    BIGINT NOT NULL PRIMARY KEY CHECK (version > 0),
    created_at TEXT   NOT NULL
);

-- Models that made vectors. Vectors of two rows are never compared with each other.
CREATE TABLE lsm_vector_spaces (
    space_id        BIGINT NOT NULL PRIMARY KEY,
    embedding_model TEXT   NOT NULL,
    dimension       BIGINT NOT NULL CHECK (dimension > 0),
    UNIQUE (embedding_model, dimension)
);

-- What produced chunks and vectors. A file made by another one than today's is made again.
CREATE TABLE lsm_schema_versions (
    schema_version_id BIGINT NOT NULL PRIMARY KEY,
    embedding_model   TEXT   NOT NULL,
    dimension         BIGINT NOT NULL CHECK (dimension > 0),
    chunking          TEXT   NOT NULL,
    created_at        TEXT   NOT NULL,
    UNIQUE (embedding_model, dimension, chunking)
);

-- A document as it was from version_in up to, but not including, version_out (NULL: it still is).
-- An edit, a move or a new tag closes one row and opens the next; document_id stays.
CREATE TABLE lsm_documents (
    document_id   BIGINT NOT NULL,
    version_in    BIGINT NOT NULL,
    version_out   BIGINT CHECK (version_out > version_in),
    source_path   TEXT   NOT NULL,
    extension     TEXT   NOT NULL,
    title         TEXT   NOT NULL,
    tags_json     TEXT   NOT NULL,
    own_tags_json TEXT   NOT NULL,  -- what the file itself says, without its folders' tags
    metadata_json TEXT   NOT NULL,
    flags_json    TEXT   NOT NULL,
    modified_at   TEXT   NOT NULL,
    file_size     BIGINT NOT NULL,
    file_hash     TEXT   NOT NULL,
    -- [[chunk_id, start_line, end_line, page], ...] in reading order: lines shift with every edit
    -- above them, texts do not, so a chunk that merely moved is the same row.
    outline_json  TEXT   NOT NULL,
    PRIMARY KEY (document_id, version_in)
);
CREATE INDEX lsm_documents_path ON lsm_documents (source_path, version_in);
CREATE UNIQUE INDEX lsm_documents_current ON lsm_documents (source_path) WHERE version_out IS NULL;

-- A chunk's text never changes; the chunk comes in with one version and goes out with another.
CREATE TABLE lsm_chunks (
    chunk_id    BIGINT  NOT NULL PRIMARY KEY,
    document_id BIGINT  NOT NULL,
    version_in  BIGINT  NOT NULL,
    version_out BIGINT  CHECK (version_out > version_in),
    is_current  BOOLEAN GENERATED ALWAYS AS (version_out IS NULL) STORED,
    text_hash   TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    heading     TEXT    NOT NULL,
    text        TEXT    NOT NULL
);
CREATE INDEX lsm_chunks_document ON lsm_chunks (document_id, version_out, version_in);
CREATE INDEX lsm_chunks_hash ON lsm_chunks (text_hash);

-- The state of every file at its last ingest: what decides whether it is read again.
CREATE TABLE lsm_manifest (
    source_path       TEXT   NOT NULL PRIMARY KEY,
    mtime_ns          BIGINT NOT NULL,
    file_size         BIGINT NOT NULL CHECK (file_size >= 0),
    file_hash         TEXT   NOT NULL,
    version           BIGINT NOT NULL CHECK (version > 0),
    embedding_model   TEXT,
    schema_version_id BIGINT,
    updated_at        TEXT   NOT NULL,
    ctime_ns          BIGINT NOT NULL,
    inode             BIGINT NOT NULL,
    device            BIGINT NOT NULL,
    checked_ns        BIGINT NOT NULL,
    document_id       BIGINT,
    chunk_count       BIGINT NOT NULL,
    folder_tags       TEXT   NOT NULL
);
CREATE INDEX lsm_manifest_hash ON lsm_manifest (file_hash);
CREATE INDEX lsm_manifest_version ON lsm_manifest (version);

-- Files that could not be read, and why; tried again when they change.
CREATE TABLE lsm_ingest_errors (
    source_path TEXT   NOT NULL PRIMARY KEY,
    code        TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    first_seen  TEXT   NOT NULL,
    last_seen   TEXT   NOT NULL,
    file_size   BIGINT NOT NULL,
    mtime_ns    BIGINT NOT NULL,
    ctime_ns    BIGINT NOT NULL,
    chunking    TEXT   NOT NULL,
    attempts    BIGINT NOT NULL
);

-- Long jobs: running, completed, failed.
CREATE TABLE lsm_job_status (
    job_id      TEXT   NOT NULL PRIMARY KEY,
    kind        TEXT   NOT NULL,
    state       TEXT   NOT NULL CHECK (state IN ('running', 'completed', 'failed')),
    owner       TEXT   NOT NULL,
    detail_json TEXT   NOT NULL,
    started_at  TEXT   NOT NULL,
    updated_at  TEXT   NOT NULL
);
