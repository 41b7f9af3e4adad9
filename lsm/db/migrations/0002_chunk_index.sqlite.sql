-- One vector a chunk: float16 little-endian, unit length, of the model named by space_id.
CREATE TABLE vec_chunks (
    chunk_id  BIGINT  NOT NULL PRIMARY KEY REFERENCES lsm_chunks (chunk_id) ON DELETE CASCADE,
    space_id  BIGINT  NOT NULL REFERENCES lsm_vector_spaces (space_id),
    embedding BYTEA   NOT NULL
);
CREATE INDEX vec_chunks_space ON vec_chunks (space_id);

-- The index keeps no text of its own: it reads lsm_chunks, and can be rebuilt from it.
CREATE VIRTUAL TABLE chunks_fts USING fts5 (
    title, heading, text,
    content = 'lsm_chunks', content_rowid = 'chunk_id',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO chunks_fts (chunks_fts, rank) VALUES ('secure-delete', 1);
