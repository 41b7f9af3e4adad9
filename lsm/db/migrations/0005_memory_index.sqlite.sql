-- What may be recalled at all, once what has run out by now is left out as well.
CREATE VIEW lsm_active_memories AS SELECT * FROM lsm_agent_memories WHERE status = 'active';

-- float16 little-endian, unit length. "changed" only grows, so that what is new can be asked for.
CREATE TABLE vec_memories (
    number    BIGINT NOT NULL PRIMARY KEY REFERENCES lsm_agent_memories (number) ON DELETE CASCADE,
    model     TEXT   NOT NULL,
    changed   BIGINT NOT NULL,
    embedding BYTEA  NOT NULL
);
CREATE INDEX vec_memories_changed ON vec_memories (model, changed);

-- The index keeps no text of its own: it reads what is active, and can be rebuilt from it.
CREATE VIRTUAL TABLE memories_fts USING fts5 (
    text, memory_key, tags_json,
    content = 'lsm_active_memories', content_rowid = 'number',
    tokenize = 'porter unicode61 remove_diacritics 2'
);
INSERT INTO memories_fts (memories_fts, rank) VALUES ('secure-delete', 1);

-- Triggers, so that no statement can change a memory and leave its words or its vector behind.
CREATE TRIGGER lsm_memory_added AFTER INSERT ON lsm_agent_memories WHEN new.status = 'active'
BEGIN
    INSERT INTO memories_fts (rowid, text, memory_key, tags_json)
    VALUES (new.number, new.text, new.memory_key, new.tags_json);
END;
CREATE TRIGGER lsm_memory_hidden
 AFTER UPDATE OF text, memory_key, tags_json, status ON lsm_agent_memories
  WHEN old.status = 'active'
BEGIN
    INSERT INTO memories_fts (memories_fts, rowid, text, memory_key, tags_json)
    VALUES ('delete', old.number, old.text, old.memory_key, old.tags_json);
    INSERT INTO memories_fts (rowid, text, memory_key, tags_json)
    SELECT new.number, new.text, new.memory_key, new.tags_json WHERE new.status = 'active';
    DELETE FROM vec_memories
     WHERE number = old.number AND (new.status <> 'active' OR new.text <> old.text);
END;
CREATE TRIGGER lsm_memory_shown
 AFTER UPDATE OF text, memory_key, tags_json, status ON lsm_agent_memories
  WHEN old.status <> 'active' AND new.status = 'active'
BEGIN
    INSERT INTO memories_fts (rowid, text, memory_key, tags_json)
    VALUES (new.number, new.text, new.memory_key, new.tags_json);
END;
CREATE TRIGGER lsm_memory_removed AFTER DELETE ON lsm_agent_memories WHEN old.status = 'active'
BEGIN
    INSERT INTO memories_fts (memories_fts, rowid, text, memory_key, tags_json)
    VALUES ('delete', old.number, old.text, old.memory_key, old.tags_json);
END;
