-- Rights, snapshots and uploads are each server's own. A new table of the registry
-- has its place here or in the list of test/pgtap/lifecycle.sql.
CREATE FUNCTION smartpouch.publication_tables()
	RETURNS SETOF regclass LANGUAGE sql STABLE PARALLEL SAFE ROWS 11
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT ('smartpouch.' || name)::regclass
	FROM unnest('{alias,blob,deployment,evaluation,event,event_head,gate,golden,model,stage,version}'::text[]) name $$;
COMMENT ON FUNCTION smartpouch.publication_tables() IS
	'the tables that a logical subscriber needs to predict as this server does';

-- A standby of a subscriber has its subscriptions, but runs none.
CREATE FUNCTION smartpouch._check_subscription(OUT status text, OUT observed bigint, OUT output text)
	RETURNS record LANGUAGE sql STABLE PARALLEL UNSAFE SECURITY DEFINER
	SET search_path = pg_catalog, pg_temp AS $$
	SELECT CASE WHEN bool_and(f.runs) THEN 'pass' WHEN count(*) > 0 THEN 'warn' END, count(*),
		string_agg(format('changes of models do not come through subscription "%s": %s', f.subname,
			CASE WHEN f.subenabled THEN 'its worker does not run, and the server log has the reason' ELSE 'it is disabled' END), '; ' ORDER BY f.subname)
			FILTER (WHERE NOT f.runs)
	FROM (SELECT s.subname, s.subenabled, s.subenabled AND EXISTS (SELECT FROM pg_stat_subscription w
			WHERE w.subid = s.oid AND w.relid IS NULL AND w.pid IS NOT NULL) AS runs
		FROM pg_subscription s
		WHERE NOT pg_is_in_recovery() AND s.subdbid = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
			AND EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srsubid = s.oid AND r.srrelid IN (SELECT smartpouch.publication_tables()))) f $$;
COMMENT ON FUNCTION smartpouch._check_subscription() IS 'subscriptions of the registry, and what is wrong with them';
