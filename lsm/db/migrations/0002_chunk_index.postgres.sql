-- One vector a chunk, unit length, of the model named by schema_version_id.
-- halfvec carries the same float16 numbers as SQLite's column.
CREATE TABLE vec_chunks (
    chunk_id          BIGINT  NOT NULL PRIMARY KEY REFERENCES lsm_chunks (chunk_id) ON DELETE CASCADE,
    schema_version_id BIGINT  NOT NULL,
    embedding         HALFVEC NOT NULL
);
CREATE INDEX vec_chunks_schema ON vec_chunks (schema_version_id);

CREATE TABLE chunks_fts (
    chunk_id BIGINT   NOT NULL PRIMARY KEY REFERENCES lsm_chunks (chunk_id) ON DELETE CASCADE,
    terms    TSVECTOR NOT NULL,
    length   BIGINT   NOT NULL
);
CREATE INDEX chunks_fts_terms ON chunks_fts USING gin (terms);
