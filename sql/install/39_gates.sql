-- What a version must show before a stage takes it.
CREATE TABLE smartpouch.gate (
	stage text COLLATE "C" CONSTRAINT gate_pkey PRIMARY KEY,
	rule jsonb NOT NULL,
	set_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	set_by text NOT NULL
) USING heap;
COMMENT ON TABLE smartpouch.gate IS 'registry: what versions must show before a stage takes them';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.gate', '');

CREATE FUNCTION smartpouch.set_gate(stage text, rule jsonb)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_set_gate';
COMMENT ON FUNCTION smartpouch.set_gate(text, jsonb) IS
	'what versions must show before they are promoted to a stage';

CREATE FUNCTION smartpouch.drop_gate(stage text)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_drop_gate';
COMMENT ON FUNCTION smartpouch.drop_gate(text) IS 'let every version be promoted to a stage';
