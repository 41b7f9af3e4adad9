-- Queries of which a person has said what should be found, to measure search by.
CREATE TABLE lsm_eval_queries (
    query_id   TEXT NOT NULL PRIMARY KEY,  -- SHA-256 of the query
    query      TEXT NOT NULL,
    created_at TEXT NOT NULL CHECK (length(created_at) = 27)
);
CREATE TABLE lsm_eval_expected (
    query_id    TEXT   NOT NULL REFERENCES lsm_eval_queries (query_id) ON DELETE CASCADE,
    expected_id TEXT   NOT NULL,  -- SHA-256 of the pattern
    pattern     TEXT   NOT NULL,  -- a path, or a glob
    grade       BIGINT NOT NULL CHECK (grade BETWEEN 1 AND 10),  -- how relevant it is
    PRIMARY KEY (query_id, expected_id)
);

-- What was measured, under a name, so that a later state can be compared with it.
CREATE TABLE lsm_eval_baselines (
    name        TEXT NOT NULL PRIMARY KEY,
    created_at  TEXT NOT NULL CHECK (length(created_at) = 27),
    result_json TEXT NOT NULL
);
