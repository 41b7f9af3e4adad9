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

-- The words of a text as SQLite's tokenizer sees them: in small letters, without accents, parted by
-- whatever is no letter and no digit. PostgreSQL's own parser keeps `config.py` or `a/b` as one.
-- `lsm.vectordb.spelling` does the same to what is looked for.
CREATE FUNCTION lsm_plain(said TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE AS $$
    SELECT btrim(regexp_replace(
        normalize(regexp_replace(normalize(lower(said), NFD), '[\u0300-\u036f]+', '', 'g'), NFC),
        -- All of Unicode's first plane but letters and numbers; the parser knows the other planes.
        '[\u0001-\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b1\u00b4\u00b6-\u00b8'
        || '\u00bb\u00bf\u00d7\u00f7\u02c2-\u02c5\u02d2-\u02df\u02e5-\u02eb\u02ed\u02ef-\u02ff\u0375'
        || '\u037e\u0384-\u0385\u0387\u03f6\u0482-\u0489\u055a-\u055f\u0589-\u05c7\u05f3-\u061f'
        || '\u064b-\u065f\u066a-\u066d\u0670\u06d4\u06d6-\u06e4\u06e7-\u06ed\u06fd-\u06fe'
        || '\u0700-\u070f\u0711\u0730-\u074a\u07a6-\u07b0\u07eb-\u07f3\u07f6-\u07f9\u07fd-\u07ff'
        || '\u0816-\u0819\u081b-\u0823\u0825-\u0827\u0829-\u083e\u0859-\u085e\u0888\u0890-\u089f'
        || '\u08ca-\u0903\u093a-\u093c\u093e-\u094f\u0951-\u0957\u0962-\u0965\u0970\u0981-\u0983'
        || '\u09bc\u09be-\u09cd\u09d7\u09e2-\u09e3\u09f2-\u09f3\u09fa-\u09fb\u09fd-\u0a03'
        || '\u0a3c-\u0a51\u0a70-\u0a71\u0a75-\u0a83\u0abc\u0abe-\u0acd\u0ae2-\u0ae3\u0af0-\u0af1'
        || '\u0afa-\u0b03\u0b3c\u0b3e-\u0b57\u0b62-\u0b63\u0b70\u0b82\u0bbe-\u0bcd\u0bd7'
        || '\u0bf3-\u0c04\u0c3c\u0c3e-\u0c56\u0c62-\u0c63\u0c77\u0c7f\u0c81-\u0c84\u0cbc'
        || '\u0cbe-\u0cd6\u0ce2-\u0ce3\u0d00-\u0d03\u0d3b-\u0d3c\u0d3e-\u0d4d\u0d4f\u0d57'
        || '\u0d62-\u0d63\u0d79\u0d81-\u0d83\u0dca-\u0ddf\u0df2-\u0df4\u0e31\u0e34-\u0e3f'
        || '\u0e47-\u0e4f\u0e5a-\u0e5b\u0eb1\u0eb4-\u0ebc\u0ec8-\u0ecd\u0f01-\u0f1f\u0f34-\u0f3f'
        || '\u0f71-\u0f87\u0f8d-\u0fda\u102b-\u103e\u104a-\u104f\u1056-\u1059\u105e-\u1060'
        || '\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f\u109a-\u109f\u10fb'
        || '\u135d-\u1368\u1390-\u1399\u1400\u166d-\u166e\u1680\u169b-\u169c\u16eb-\u16ed'
        || '\u1712-\u1715\u1732-\u1736\u1752-\u1753\u1772-\u1773\u17b4-\u17d6\u17d8-\u17db\u17dd'
        || '\u1800-\u180f\u1885-\u1886\u18a9\u1920-\u1945\u19de-\u19ff\u1a17-\u1a1f\u1a55-\u1a7f'
        || '\u1aa0-\u1aa6\u1aa8-\u1b04\u1b34-\u1b44\u1b5a-\u1b82\u1ba1-\u1bad\u1be6-\u1bff'
        || '\u1c24-\u1c3f\u1c7e-\u1c7f\u1cc0-\u1ce8\u1ced\u1cf4\u1cf7-\u1cf9\u1dc0-\u1dff\u1fbd'
        || '\u1fbf-\u1fc1\u1fcd-\u1fcf\u1fdd-\u1fdf\u1fed-\u1fef\u1ffd-\u206f\u207a-\u207e'
        || '\u208a-\u208e\u20a0-\u2101\u2103-\u2106\u2108-\u2109\u2114\u2116-\u2118\u211e-\u2123'
        || '\u2125\u2127\u2129\u212e\u213a-\u213b\u2140-\u2144\u214a-\u214d\u214f\u218a-\u244a'
        || '\u249c-\u24e9\u2500-\u2775\u2794-\u2bff\u2ce5-\u2cea\u2cef-\u2cf1\u2cf9-\u2cfc'
        || '\u2cfe-\u2cff\u2d70-\u2d7f\u2de0-\u2e2e\u2e30-\u3004\u3008-\u3020\u302a-\u3030'
        || '\u3036-\u3037\u303d-\u303f\u3099-\u309c\u30a0\u30fb\u3190-\u3191\u3196-\u319f'
        || '\u31c0-\u31e3\u3200-\u321e\u322a-\u3247\u3250\u3260-\u327f\u328a-\u32b0\u32c0-\u33ff'
        || '\u4dc0-\u4dff\ua490-\ua4c6\ua4fe-\ua4ff\ua60d-\ua60f\ua66f-\ua67e\ua69e-\ua69f'
        || '\ua6f0-\ua716\ua720-\ua721\ua789-\ua78a\ua802\ua806\ua80b\ua823-\ua82c\ua836-\ua839'
        || '\ua874-\ua881\ua8b4-\ua8cf\ua8e0-\ua8f1\ua8f8-\ua8fa\ua8fc\ua8ff\ua926-\ua92f'
        || '\ua947-\ua95f\ua980-\ua983\ua9b3-\ua9cd\ua9de-\ua9df\ua9e5\uaa29-\uaa36\uaa43'
        || '\uaa4c-\uaa4d\uaa5c-\uaa5f\uaa77-\uaa79\uaa7b-\uaa7d\uaab0\uaab2-\uaab4\uaab7-\uaab8'
        || '\uaabe-\uaabf\uaac1\uaade-\uaadf\uaaeb-\uaaf1\uaaf5-\uaaf6\uab5b\uab6a-\uab6b'
        || '\uabe3-\uabed\ufb1e\ufb29\ufbb2-\ufbc2\ufd3e-\ufd4f\ufdcf\ufdfc-\ufe6b\ufeff-\uff0f'
        || '\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\uffe0-\ufffd'
        || ']+', ' ', 'g'))
$$;

-- A trigger, so that no statement can change a memory and leave its words or its vector behind.
CREATE FUNCTION lsm_index_memory() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        DELETE FROM memories_fts WHERE number = old.number;
        DELETE FROM vec_memories
         WHERE number = old.number AND (new.status <> 'active' OR new.text <> old.text);
    END IF;
    IF new.status = 'active' THEN
        -- Words that are not indexed, but counted: a phrase must not reach from the key into the text.
        INSERT INTO memories_fts (number, terms, length)
        SELECT new.number,
               setweight(to_tsvector('english', key), 'A')
               || setweight(to_tsvector('english', 'a a a a a a a a ' || tags), 'B')
               || to_tsvector('english', 'a a a a a a a a ' || said),
               cardinality(string_to_array(key, ' ')) + cardinality(string_to_array(tags, ' '))
               + cardinality(string_to_array(said, ' '))
          FROM (SELECT lsm_plain(coalesce(new.memory_key, '')) AS key,
                       lsm_plain(new.tags_json) AS tags, lsm_plain(new.text) AS said) spelled;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER lsm_memory_added AFTER INSERT ON lsm_agent_memories
    FOR EACH ROW EXECUTE FUNCTION lsm_index_memory();
CREATE TRIGGER lsm_memory_changed
    AFTER UPDATE OF text, memory_key, tags_json, status ON lsm_agent_memories
    FOR EACH ROW EXECUTE FUNCTION lsm_index_memory();
