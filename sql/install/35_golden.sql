-- Rows with the answers that the source library gave: the proof that a version
-- still answers like it.
CREATE TABLE smartpouch.golden (
	model_id uuid NOT NULL,
	version integer NOT NULL,
	seq integer NOT NULL,
	features jsonb NOT NULL,
	expected jsonb NOT NULL,
	tolerance double precision NOT NULL CONSTRAINT golden_tolerance_check
		CHECK (tolerance >= 0 AND tolerance < 'Infinity'),
	CONSTRAINT golden_pkey PRIMARY KEY (model_id, version, seq)
) USING heap;
COMMENT ON TABLE smartpouch.golden IS 'registry: rows with known answers';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.golden', '');

CREATE FUNCTION smartpouch.add_golden(ref text, features jsonb, expected jsonb,
	tolerance double precision DEFAULT 1e-6)
	RETURNS integer LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_add_golden';
COMMENT ON FUNCTION smartpouch.add_golden(text, jsonb, jsonb, double precision) IS
	'keep a row with its known answer; refused if the version answers otherwise';

CREATE FUNCTION smartpouch.drop_golden(ref text, seq integer)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_golden';
COMMENT ON FUNCTION smartpouch.drop_golden(text, integer) IS 'remove a row added by add_golden';

CREATE FUNCTION smartpouch.check_golden(ref text,
	OUT seq integer, OUT passed boolean, OUT mismatch text)
	RETURNS SETOF record LANGUAGE c STABLE PARALLEL RESTRICTED STRICT ROWS 16
	AS 'MODULE_PATHNAME', 'smartpouch_check_golden';
COMMENT ON FUNCTION smartpouch.check_golden(text) IS
	'compare the answers of a version with its golden rows';
