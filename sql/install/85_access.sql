-- The server's own grants for one level, as GRANT or REVOKE with a list of all objects.
CREATE FUNCTION smartpouch._change_access(statement text, role name, wanted text)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	preposition text := CASE statement WHEN 'GRANT' THEN 'TO' ELSE 'FROM' END;
	functions text;
	views text;
BEGIN
	SELECT string_agg(p.oid::regprocedure::text, ', ') INTO functions
	FROM pg_proc p LEFT JOIN smartpouch._access_objects() o ON o.object = p.proname
	WHERE p.pronamespace = 'smartpouch'::regnamespace AND p.prorettype <> 'trigger'::regtype
		AND CASE wanted WHEN 'admin' THEN p.proname !~ '^_' OR o.object IS NOT NULL
			ELSE wanted = ANY (string_to_array(o.levels, ' ')) END;
	SELECT string_agg(c.oid::regclass::text, ', ') INTO views
	FROM pg_class c LEFT JOIN smartpouch._access_objects() o ON o.object = c.relname
	WHERE c.relnamespace = 'smartpouch'::regnamespace AND c.relkind = 'v'
		AND (wanted = 'admin' OR wanted = ANY (string_to_array(o.levels, ' ')));
	EXECUTE format('%s USAGE ON SCHEMA smartpouch %s %I', statement, preposition, role);
	EXECUTE format('%s EXECUTE ON ROUTINE %s %s %I', statement, functions, preposition, role);
	EXECUTE format('%s SELECT ON %s %s %I', statement, views, preposition, role);
END $$;
COMMENT ON FUNCTION smartpouch._change_access(text, name, text) IS
	'make or take back the grants of one level of access';

-- An update script ends with SELECT smartpouch._apply_access(), for its new functions.
CREATE FUNCTION smartpouch._apply_access(wanted oid DEFAULT NULL)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM smartpouch._change_access('GRANT', r.rolname, g.level)
	FROM smartpouch.access_grant g JOIN pg_roles r ON r.oid = g.role_oid
	WHERE g.role_cluster = smartpouch._cluster_id() AND (wanted IS NULL OR r.oid = wanted);
END $$;
COMMENT ON FUNCTION smartpouch._apply_access(oid) IS
	'make the grants that follow from levels of access, of a role or of all';

CREATE FUNCTION smartpouch._withdraw_access(wanted oid, level text)
	RETURNS void LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	PERFORM smartpouch._change_access('REVOKE', r.rolname, level)
	FROM pg_roles r WHERE r.oid = wanted;
END $$;
COMMENT ON FUNCTION smartpouch._withdraw_access(oid, text) IS
	'take back the grants of a level of access of a role';
