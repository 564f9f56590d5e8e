-- ENABLE ALWAYS, so that they also fire in a logical replication worker and
-- under session_replication_role = replica: caches must learn of every row,
-- however it came.
CREATE FUNCTION smartpouch.registry_changed() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smartpouch_registry_changed';
COMMENT ON FUNCTION smartpouch.registry_changed() IS
	'trigger: tells every backend that rows of a registry table changed';

CREATE FUNCTION smartpouch.refuse_change() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smartpouch_refuse_change';
COMMENT ON FUNCTION smartpouch.refuse_change() IS
	'trigger: refuses to change rows that never change';

DO $$
DECLARE
	remembered pg_catalog.text;
BEGIN
	FOREACH remembered IN ARRAY '{model,version,deployment,alias,stage,model_grant,access_grant}'::pg_catalog.text[] LOOP
		EXECUTE pg_catalog.format('CREATE TRIGGER registry_changed AFTER INSERT OR UPDATE OR DELETE ON smartpouch.%I'
			' FOR EACH ROW EXECUTE FUNCTION smartpouch.registry_changed()', remembered);
		EXECUTE pg_catalog.format('CREATE TRIGGER registry_truncated AFTER TRUNCATE ON smartpouch.%I'
			' FOR EACH STATEMENT EXECUTE FUNCTION smartpouch.registry_changed()', remembered);
	END LOOP;
END $$;

-- A version never changes once it is there, nor do bytes and events.
CREATE TRIGGER refuse_change BEFORE UPDATE ON smartpouch.version
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE ON smartpouch.blob
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
CREATE TRIGGER refuse_change BEFORE UPDATE ON smartpouch.event
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
CREATE TRIGGER refuse_truncate BEFORE TRUNCATE ON smartpouch.event
	FOR EACH STATEMENT EXECUTE FUNCTION smartpouch.refuse_change();

-- Also after something set them back (a data-only restore with
-- --disable-triggers does): health() notices, and this mends.
CREATE FUNCTION smartpouch.repair_triggers() RETURNS integer
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	wrong record;
	mended integer := 0;
BEGIN
	FOR wrong IN
		SELECT t.tgrelid::regclass AS relation, t.tgname
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
		WHERE c.relnamespace = 'smartpouch'::regnamespace
			AND NOT t.tgisinternal AND t.tgenabled <> 'A'
	LOOP
		EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', wrong.relation, wrong.tgname);
		mended := mended + 1;
	END LOOP;
	RETURN mended;
END $$;
COMMENT ON FUNCTION smartpouch.repair_triggers() IS
	'set the registry''s triggers back to ENABLE ALWAYS; returns how many were not';

SELECT smartpouch.repair_triggers();
