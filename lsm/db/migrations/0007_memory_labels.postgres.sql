-- What memories are filtered by, so that a filter reads no other memory, whatever their status:
-- 't:TAG' for each tag, and, of an object that is a memory's value, 'v:NAME=TEXT' for each short
-- text and 'b:NAME=true' or 'b:NAME=false'. A NAME has no '=', so that each says one thing only.
CREATE TABLE memory_labels (
    number BIGINT NOT NULL REFERENCES lsm_agent_memories (number) ON DELETE CASCADE,
    label  TEXT   NOT NULL,
    PRIMARY KEY (number, label)
);
CREATE INDEX memory_labels_label ON memory_labels (label, number);
CREATE VIEW lsm_memory_labels AS
SELECT m.number, 't:' || t.tag AS label
  FROM lsm_agent_memories m, jsonb_array_elements_text(CAST(m.tags_json AS jsonb)) AS t(tag)
 UNION
SELECT m.number, CASE jsonb_typeof(v.value) WHEN 'string' THEN 'v:' ELSE 'b:' END
                 || v.key || '=' || (v.value #>> '{}')
  FROM lsm_agent_memories m,
       jsonb_each(CASE WHEN jsonb_typeof(CAST(m.value_json AS jsonb)) = 'object'
                       THEN CAST(m.value_json AS jsonb) END) AS v(key, value)
 WHERE length(v.key) <= 100 AND strpos(v.key, '=') = 0
   AND (jsonb_typeof(v.value) = 'boolean'
        OR (jsonb_typeof(v.value) = 'string' AND length(v.value #>> '{}') <= 100));
INSERT INTO memory_labels (number, label) SELECT number, label FROM lsm_memory_labels;

-- Triggers, so that no statement can change a memory and leave its labels as they were.
CREATE FUNCTION lsm_label_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM memory_labels WHERE number = old.number;
    END IF;
    INSERT INTO memory_labels (number, label)
    SELECT number, label FROM lsm_memory_labels WHERE number = new.number;
    RETURN NULL;
END $$;
CREATE TRIGGER lsm_memory_labelled AFTER INSERT ON lsm_agent_memories
    FOR EACH ROW WHEN (new.tags_json <> '[]' OR new.value_json <> 'null')
    EXECUTE FUNCTION lsm_label_memory();
CREATE TRIGGER lsm_memory_relabelled AFTER UPDATE OF tags_json, value_json ON lsm_agent_memories
    FOR EACH ROW WHEN (new.tags_json <> old.tags_json OR new.value_json <> old.value_json)
    EXECUTE FUNCTION lsm_label_memory();

-- The memories that a candidate is to take the place of, when they are more than one.
CREATE TABLE lsm_agent_memory_merges (
    candidate_id TEXT   NOT NULL REFERENCES lsm_agent_memory_candidates (id) ON DELETE CASCADE,
    position     BIGINT NOT NULL,
    memory_id    TEXT   NOT NULL REFERENCES lsm_agent_memories (id) ON DELETE CASCADE,
    PRIMARY KEY (candidate_id, position)
);
CREATE INDEX lsm_agent_memory_merges_memory ON lsm_agent_memory_merges (memory_id);

-- How much somebody has proposed since an instant.
CREATE INDEX lsm_agent_memory_candidates_since
    ON lsm_agent_memory_candidates (provenance, created_at);
