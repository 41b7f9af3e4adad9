-- Byte order, as on SQLite: what lies below a scope is then one range of the index.
ALTER TABLE lsm_agent_memories ALTER COLUMN scope TYPE TEXT COLLATE "C";

-- What may be recalled at all, once what has run out by now is left out as well.
CREATE VIEW lsm_active_memories AS SELECT * FROM lsm_agent_memories WHERE status = 'active';

CREATE TABLE vec_memories (
    number    BIGINT  NOT NULL PRIMARY KEY REFERENCES lsm_agent_memories (number) ON DELETE CASCADE,
    model     TEXT    NOT NULL,
    changed   BIGINT  NOT NULL,
    embedding HALFVEC NOT NULL
);
CREATE INDEX vec_memories_changed ON vec_memories (model, changed);

CREATE TABLE memories_fts (
    number BIGINT   NOT NULL PRIMARY KEY REFERENCES lsm_agent_memories (number) ON DELETE CASCADE,
    terms  TSVECTOR NOT NULL,
    length BIGINT   NOT NULL
);
CREATE INDEX memories_fts_terms ON memories_fts USING gin (terms);

-- A trigger, so that no statement can change a memory and leave its words or its vector behind.
CREATE FUNCTION lsm_index_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM memories_fts WHERE number = old.number;
        DELETE FROM vec_memories
         WHERE number = old.number AND (new.status <> 'active' OR new.text <> old.text);
    END IF;
    IF new.status = 'active' THEN
        INSERT INTO memories_fts (number, terms, length)
        SELECT new.number, terms,
               (SELECT coalesce(sum(cardinality(positions)), 0) FROM unnest(terms))
          FROM (SELECT setweight(to_tsvector('english', coalesce(new.memory_key, '')), 'A')
                    || setweight(to_tsvector('english', new.tags_json), 'B')
                    || to_tsvector('english', new.text) AS terms) made;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER lsm_memory_added AFTER INSERT ON lsm_agent_memories
    FOR EACH ROW EXECUTE FUNCTION lsm_index_memory();
CREATE TRIGGER lsm_memory_changed
    AFTER UPDATE OF text, memory_key, tags_json, status ON lsm_agent_memories
    FOR EACH ROW EXECUTE FUNCTION lsm_index_memory();
