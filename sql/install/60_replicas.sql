-- Rights, snapshots and uploads are each server's own. A new table of the registry
-- has its place here or in the list of test/pgtap/lifecycle.sql.
CREATE FUNCTION smartpouch.publication_tables()
	RETURNS SETOF regclass LANGUAGE sql STABLE PARALLEL SAFE ROWS 11
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT ('smartpouch.' || name)::regclass
	FROM unnest('{alias,blob,deployment,evaluation,event,event_head,gate,golden,model,stage,version}'::text[]) name $$;
COMMENT ON FUNCTION smartpouch.publication_tables() IS
	'the tables that a logical subscriber needs to predict as this server does';
