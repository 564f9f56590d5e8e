-- Where the kept history of a model begins, when earlier events were removed:
-- the number and hash of the last one that was.
CREATE TABLE smartpouch.event_head (
	model_id uuid CONSTRAINT event_head_pkey PRIMARY KEY,
	seq bigint NOT NULL CONSTRAINT event_head_seq_check CHECK (seq > 0),
	hash bytea NOT NULL CONSTRAINT event_head_hash_check CHECK (octet_length(hash) = 32),
	expired_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	expired_by text NOT NULL
) USING heap;
COMMENT ON TABLE smartpouch.event_head IS 'registry: ends of the parts of histories that were removed';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.event_head', '');

-- An event goes only when such a head covers it, on a subscriber too.
CREATE FUNCTION smartpouch.refuse_removal() RETURNS trigger
	LANGUAGE c VOLATILE PARALLEL UNSAFE AS 'MODULE_PATHNAME', 'smartpouch_refuse_removal';
COMMENT ON FUNCTION smartpouch.refuse_removal() IS
	'trigger: refuses to remove events that expire_history() has not accounted for';
CREATE TRIGGER refuse_removal BEFORE DELETE ON smartpouch.event
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_removal();
ALTER TABLE smartpouch.event ENABLE ALWAYS TRIGGER refuse_removal;

CREATE FUNCTION smartpouch.expire_history(model text, older_than interval DEFAULT '5 years',
	dry_run boolean DEFAULT true)
	RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_expire_history';
COMMENT ON FUNCTION smartpouch.expire_history(text, interval, boolean) IS
	'remove old events of a model''s history, keeping the chain whole; returns how many';

CREATE FUNCTION smartpouch.expire_versions(model text DEFAULT NULL, older_than interval DEFAULT '180 days',
	keep integer DEFAULT 5, dry_run boolean DEFAULT true,
	OUT model_name text, OUT version integer, OUT last_used timestamptz, OUT artifact_bytes bigint)
	RETURNS SETOF record LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 20
	SET search_path = pg_catalog, pg_temp AS $$
BEGIN
	IF older_than IS NULL OR keep IS NULL OR dry_run IS NULL THEN
		RAISE EXCEPTION 'older_than, keep and dry_run must not be NULL' USING ERRCODE = '22004';
	END IF;
	IF keep < 0 THEN
		RAISE EXCEPTION 'keep must not be negative' USING ERRCODE = '22023';
	END IF;
	IF expire_versions.model IS NOT NULL
		AND NOT EXISTS (SELECT FROM smartpouch.models m WHERE m.model = expire_versions.model) THEN
		RAISE EXCEPTION 'model "%" does not exist', expire_versions.model USING ERRCODE = '42704';
	END IF;
	FOR model_name, version, last_used, artifact_bytes IN
		SELECT v.model, v.version, h.last_used, v.artifact_bytes
		FROM (SELECT w.*, row_number() OVER (PARTITION BY w.model ORDER BY w.version DESC) AS age
			FROM smartpouch.versions w) v
			CROSS JOIN LATERAL (SELECT greatest(v.imported_at, max(e.at)) AS last_used
				FROM smartpouch.history e
				WHERE e.model = v.model AND v.version IN (e.version, e.replaced_version)) h
		WHERE (expire_versions.model IS NULL OR v.model = expire_versions.model)
			AND v.age > keep AND h.last_used < now() - older_than
			AND NOT EXISTS (SELECT FROM smartpouch.deployments d
				WHERE d.model = v.model AND (d.version = v.version OR v.version = ANY (d.replaced)))
			AND NOT EXISTS (SELECT FROM smartpouch.aliases a
				WHERE a.model = v.model AND a.version = v.version)
			AND NOT EXISTS (SELECT FROM smartpouch.canaries c
				WHERE c.model = v.model AND c.version = v.version)
			AND NOT EXISTS (SELECT FROM smartpouch.shadows s
				WHERE s.model = v.model AND s.version = v.version)
		ORDER BY v.model, v.version
	LOOP
		IF NOT dry_run THEN
			BEGIN
				PERFORM smartpouch.drop_version(model_name || ':' || version);
			EXCEPTION
				-- it serves again, or is gone, since it was listed
				WHEN dependent_objects_still_exist OR undefined_object THEN
					CONTINUE;
				WHEN insufficient_privilege THEN
					IF expire_versions.model IS NOT NULL THEN
						RAISE;
					END IF;
					CONTINUE;
			END;
		END IF;
		RETURN NEXT;
	END LOOP;
END $$;
COMMENT ON FUNCTION smartpouch.expire_versions(text, interval, integer, boolean) IS
	'drop versions that nothing serves and that nothing has happened to for long; lists them';
