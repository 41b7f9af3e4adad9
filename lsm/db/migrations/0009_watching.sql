-- What agents have taken up of feeds and saved searches: shown in a report, proposed or kept. State,
-- not cache: written with what became of it, so that each item is taken up once.
CREATE TABLE lsm_watched_items (
    watch_key TEXT NOT NULL,  -- SHA-256 of purpose, source and question
    item_key  TEXT NOT NULL,  -- SHA-256 of the item's own id, or of its address
    seen_at   TEXT NOT NULL CHECK (length(seen_at) = 27),
    PRIMARY KEY (watch_key, item_key)
);
CREATE INDEX lsm_watched_items_seen ON lsm_watched_items (watch_key, seen_at);
