-- What was measured of a version. Rows are added, never changed; the newest of
-- a data set counts.
CREATE TABLE smartpouch.evaluation (
	model_id uuid NOT NULL,
	version integer NOT NULL,
	seq integer NOT NULL,
	dataset text NOT NULL,
	metrics jsonb NOT NULL,
	recorded_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	recorded_by text NOT NULL,
	CONSTRAINT evaluation_pkey PRIMARY KEY (model_id, version, seq)
) USING heap;
COMMENT ON TABLE smartpouch.evaluation IS 'registry: measured quality of versions';
SELECT pg_catalog.pg_extension_config_dump('smartpouch.evaluation', '');
CREATE TRIGGER refuse_change BEFORE UPDATE ON smartpouch.evaluation
	FOR EACH ROW EXECUTE FUNCTION smartpouch.refuse_change();
ALTER TABLE smartpouch.evaluation ENABLE ALWAYS TRIGGER refuse_change;

CREATE FUNCTION smartpouch.evaluate(ref text, query text)
	RETURNS jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT COST 100000
	AS 'MODULE_PATHNAME', 'smartpouch_evaluate';
COMMENT ON FUNCTION smartpouch.evaluate(text, text) IS
	'compare the predictions of a version with column truth of a query';

CREATE FUNCTION smartpouch.record_evaluation(ref text, dataset text, metrics jsonb)
	RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE CALLED ON NULL INPUT
	AS 'MODULE_PATHNAME', 'smartpouch_record_evaluation';
COMMENT ON FUNCTION smartpouch.record_evaluation(text, text, jsonb) IS
	'keep what was measured of a version on a data set';
