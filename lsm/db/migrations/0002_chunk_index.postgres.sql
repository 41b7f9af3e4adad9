-- One vector a chunk, unit length, of the model named by space_id.
-- halfvec carries the same float16 numbers as SQLite's column.
CREATE TABLE vec_chunks (
    chunk_id  BIGINT  NOT NULL PRIMARY KEY REFERENCES lsm_chunks (chunk_id) ON DELETE CASCADE,
    space_id  BIGINT  NOT NULL REFERENCES lsm_vector_spaces (space_id),
    embedding HALFVEC NOT NULL
);
CREATE INDEX vec_chunks_space ON vec_chunks (space_id);

CREATE TABLE chunks_fts (
    chunk_id BIGINT   NOT NULL PRIMARY KEY REFERENCES lsm_chunks (chunk_id) ON DELETE CASCADE,
    terms    TSVECTOR NOT NULL,
    length   BIGINT   NOT NULL
);
CREATE INDEX chunks_fts_terms ON chunks_fts USING gin (terms);
