-- What remote sources answered. Disposable: whatever is here can be asked for again.
CREATE TABLE lsm_remote_cache (
    cache_key     TEXT   NOT NULL PRIMARY KEY,  -- SHA-256 of format, provider and parameters
    provider      TEXT   NOT NULL,
    created_at    TEXT   NOT NULL CHECK (length(created_at) = 27),
    expires_at    TEXT   CHECK (length(expires_at) = 27),  -- NULL: fresh until it is replaced
    last_used_at  TEXT   NOT NULL DEFAULT '',  -- to the hour, so that a hit rarely writes
    size_bytes    BIGINT NOT NULL DEFAULT 0,
    question_json TEXT,  -- what was asked, for people; never a secret
    -- Last: to reach what stands behind a long text, it has to be read.
    response_json TEXT   NOT NULL
);
CREATE INDEX lsm_remote_cache_use ON lsm_remote_cache (last_used_at, cache_key, size_bytes);
CREATE INDEX lsm_remote_cache_provider ON lsm_remote_cache (provider, created_at);

-- Who is fetching an answer, so that nobody else does; or that nobody could, and until when
-- nobody tries again. No row: neither.
CREATE TABLE lsm_remote_fetches (
    cache_key   TEXT NOT NULL PRIMARY KEY,
    owner       TEXT,
    since       TEXT NOT NULL CHECK (length(since) = 27),
    until       TEXT NOT NULL CHECK (length(until) = 27),
    error_code  TEXT,
    error       TEXT,
    CHECK ((owner IS NULL) = (error_code IS NOT NULL))
);

-- When a server may be asked again, whichever process asks.
CREATE TABLE lsm_remote_hosts (
    host          TEXT NOT NULL PRIMARY KEY,
    next_at       TEXT NOT NULL CHECK (length(next_at) = 27),
    blocked_until TEXT CHECK (length(blocked_until) = 27)  -- it said 429 or Retry-After
);

-- Feeds. State, not cache: which items have been shown cannot be asked for again.
CREATE TABLE lsm_remote_feeds (
    feed_id       TEXT NOT NULL PRIMARY KEY,  -- SHA-256 of the address, which may be long
    feed_url      TEXT NOT NULL,
    title         TEXT NOT NULL,
    etag          TEXT,
    last_modified TEXT,
    checked_at    TEXT NOT NULL CHECK (length(checked_at) = 27)
);
CREATE TABLE lsm_remote_feed_items (
    feed_id  TEXT NOT NULL REFERENCES lsm_remote_feeds (feed_id) ON DELETE CASCADE,
    item_key TEXT NOT NULL,  -- SHA-256 of the item's own id
    seen_at  TEXT NOT NULL CHECK (length(seen_at) = 27),
    PRIMARY KEY (feed_id, item_key)
);
CREATE INDEX lsm_remote_feed_items_seen ON lsm_remote_feed_items (feed_id, seen_at);

-- Statistics of the library, with the state of the library they were computed from.
CREATE TABLE lsm_stats_cache (
    stats_key     TEXT NOT NULL PRIMARY KEY,
    library_state TEXT NOT NULL,
    stats_json    TEXT NOT NULL,
    created_at    TEXT NOT NULL CHECK (length(created_at) = 27),
    expires_at    TEXT NOT NULL CHECK (length(expires_at) = 27)
);
