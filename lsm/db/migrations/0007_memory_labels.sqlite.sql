-- What memories are filtered by, so that a filter reads no other memory, whatever their status:
-- 't:TAG' for each tag, and, of an object that is a memory's value, 'v:NAME=TEXT' for each short
-- text and 'b:NAME=true' or 'b:NAME=false'. A NAME has no '=', so that each says one thing only.
CREATE TABLE memory_labels (
    number BIGINT NOT NULL REFERENCES lsm_agent_memories (number) ON DELETE CASCADE,
    label  TEXT   NOT NULL,
    PRIMARY KEY (number, label)
) WITHOUT ROWID;
CREATE INDEX memory_labels_label ON memory_labels (label, number);
CREATE VIEW lsm_memory_labels AS
SELECT m.number, 't:' || t.value AS label
  FROM lsm_agent_memories m, json_each(m.tags_json) AS t
 UNION
SELECT m.number, CASE v.type WHEN 'text' THEN 'v:' || v.key || '=' || v.value
                             ELSE 'b:' || v.key || '=' || v.type END
  FROM lsm_agent_memories m, json_each(m.value_json) AS v
 WHERE json_type(m.value_json) = 'object' AND length(v.key) <= 100 AND instr(v.key, '=') = 0
   AND (v.type IN ('true', 'false') OR (v.type = 'text' AND length(v.value) <= 100));
INSERT INTO memory_labels (number, label) SELECT number, label FROM lsm_memory_labels;

-- Triggers, so that no statement can change a memory and leave its labels as they were.
CREATE TRIGGER lsm_memory_labelled AFTER INSERT ON lsm_agent_memories
  WHEN new.tags_json <> '[]' OR new.value_json <> 'null'
BEGIN
    INSERT INTO memory_labels (number, label)
    SELECT number, label FROM lsm_memory_labels WHERE number = new.number;
END;
CREATE TRIGGER lsm_memory_relabelled AFTER UPDATE OF tags_json, value_json ON lsm_agent_memories
  WHEN new.tags_json <> old.tags_json OR new.value_json <> old.value_json
BEGIN
    DELETE FROM memory_labels WHERE number = old.number;
    INSERT INTO memory_labels (number, label)
    SELECT number, label FROM lsm_memory_labels WHERE number = new.number;
END;

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
