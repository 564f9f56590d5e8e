-- The name of this cluster in stored roles. pg_dump leaves it out, so that a restore
-- has the name of where it was made; pg_upgrade keeps the OIDs of roles but makes
-- another system identifier, and takes this along with the table's file. home is the
-- OID of this table, which pg_upgrade keeps too: a row that was copied from another
-- server says nothing here.
CREATE TABLE smartpouch.cluster (
	home oid CONSTRAINT cluster_pkey PRIMARY KEY,
	id text COLLATE "C" NOT NULL CONSTRAINT cluster_id_check CHECK (octet_length(id) BETWEEN 1 AND 63)
) USING heap;
COMMENT ON TABLE smartpouch.cluster IS 'registry: name of this cluster in stored roles';

INSERT INTO smartpouch.cluster (home, id)
SELECT 'smartpouch.cluster'::pg_catalog.regclass, system_identifier FROM pg_catalog.pg_control_system();

CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON smartpouch.cluster
	FOR EACH ROW EXECUTE FUNCTION smartpouch.registry_changed();
CREATE TRIGGER registry_truncated AFTER TRUNCATE ON smartpouch.cluster
	FOR EACH STATEMENT EXECUTE FUNCTION smartpouch.registry_changed();
ALTER TABLE smartpouch.cluster ENABLE ALWAYS TRIGGER registry_changed;
ALTER TABLE smartpouch.cluster ENABLE ALWAYS TRIGGER registry_truncated;
