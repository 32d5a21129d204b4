-- Counts the changes of what applied documents say: whoever remembers who is in which team knows
-- from it when that is no longer so.
CREATE TABLE access_version (
    only_one boolean NOT NULL DEFAULT true CONSTRAINT access_version_pkey PRIMARY KEY
        CONSTRAINT access_version_only_one CHECK (only_one),
    version  bigint  NOT NULL
);
INSERT INTO access_version (version) VALUES (1);
CREATE FUNCTION count_access_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Whatever somebody wrote there: a document is never refused because of it.
    UPDATE access_version SET version = CASE WHEN version < 9000000000000000000 THEN version + 1 ELSE 1 END;
    RETURN NULL;
END
$$;
CREATE TRIGGER subject_states_counted_new AFTER INSERT OR DELETE ON subject_states
    FOR EACH ROW EXECUTE FUNCTION count_access_version();
CREATE TRIGGER subject_states_counted AFTER UPDATE OF applied_document ON subject_states
    FOR EACH ROW WHEN (OLD.applied_document IS DISTINCT FROM NEW.applied_document)
    EXECUTE FUNCTION count_access_version();
