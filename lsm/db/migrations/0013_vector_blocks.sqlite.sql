-- The vectors of 1,024 chunks at a time, eight bits a number, for scans: derived from vec_chunks,
-- in the same transactions. What is newer than the last block is read from there.
CREATE TABLE lsm_vector_blocks (
    space_id  BIGINT NOT NULL REFERENCES lsm_vector_spaces (space_id),
    first_id  BIGINT NOT NULL,  -- of the chunks in it, as is the next; nothing of the space between
    last_id   BIGINT NOT NULL,  -- them is left out
    scales    BYTEA  NOT NULL,  -- float32 each: times the codes gives the vector
    chunk_ids BYTEA  NOT NULL,  -- int64 each, rising
    codes     BYTEA  NOT NULL,  -- int8, a row a chunk
    PRIMARY KEY (space_id, first_id)
) WITHOUT ROWID;
