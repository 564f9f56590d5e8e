-- The schema may be there already (a dump makes it before the extension), but
-- not as somebody else's, nor with anything in it: its owner could put an
-- overload beside a function that a superuser will call.
DO $$
DECLARE
	schema_owner oid := (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname OPERATOR(pg_catalog.=) 'smartpouch');
BEGIN
	IF schema_owner OPERATOR(pg_catalog.<>) (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) CURRENT_USER)
		AND NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE oid OPERATOR(pg_catalog.=) schema_owner)
	THEN
		RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
			MESSAGE = 'schema smartpouch belongs to another role that is no superuser',
			HINT = 'Drop it, or make it yours, and create the extension again.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_depend
		WHERE refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
			AND refobjid OPERATOR(pg_catalog.=) 'smartpouch'::pg_catalog.regnamespace
			AND classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass)
	THEN
		RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'schema smartpouch is not empty',
			HINT = 'Drop what is in it, and create the extension again.';
	END IF;
END $$;
