-- Damaged files of every format: cut, with bits flipped, with bytes replaced.
-- Each is an error of the right kind or a model, and the session lives on.
\set ON_ERROR_STOP 1
\set QUIET 1
\getenv source SMARTPOUCH_SOURCE
BEGIN;
SELECT plan(15);
SELECT setseed(0.5) \gset

CREATE TABLE file (name text, artifact bytea);
INSERT INTO file
SELECT name, pg_read_binary_file(:'source' || '/test/data/' || name || '/' || artifact)
FROM (VALUES ('xgb_diabetes_squarederror', 'model.json'), ('xgb16_cancer_ubj', 'model.ubj'),
	('onnx_wine_random_forest', 'model.onnx'), ('onnx_wine_logistic', 'model.onnx')) v (name, artifact);

-- What trying a file comes to: 'accepted', or the SQLSTATE.
CREATE FUNCTION attempt(artifact bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM smartpouch.inspect_model(artifact);
	RETURN 'accepted';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE;
END $$;

SELECT is(attempt(artifact), 'accepted', name || ': intact') FROM file ORDER BY name;

SELECT is((SELECT string_agg(DISTINCT attempt(substr(artifact, 1, n)), ',')
		FROM (SELECT (random() * (octet_length(artifact) - 1))::integer AS n FROM generate_series(1, 300)) cut),
	'22P03', name || ': cut anywhere is unreadable')
FROM file ORDER BY name;

SELECT is((SELECT count(*) FROM (
		SELECT attempt(set_byte(artifact, n, get_byte(artifact, n) # (1 << b))) AS result
		FROM (SELECT (random() * (octet_length(artifact) - 1))::integer AS n, (random() * 7)::integer AS b
			FROM generate_series(1, 500)) flip) tried
		WHERE result NOT IN ('accepted', '22P03', '0A000', '54000'))::integer,
	0, name || ': a flipped bit is refused or harmless')
FROM file ORDER BY name;

SELECT is((SELECT count(*) FROM (
		SELECT attempt(overlay(artifact PLACING decode(md5(random()::text), 'hex') FROM n)) AS result
		FROM (SELECT 1 + (random() * (octet_length(artifact) - 17))::integer AS n FROM generate_series(1, 300)) piece) tried
		WHERE result NOT IN ('accepted', '22P03', '0A000', '54000'))::integer,
	0, 'sixteen random bytes are refused or harmless')
FROM file WHERE name = 'onnx_wine_random_forest';

-- a number of nodes that the file cannot hold is not believed: UBJSON array of 10^9 int32
SELECT is(attempt('\x7b4c00000000000000076c6561726e65725b246c234c000000003b9aca00'), '22P03',
	'10^9 declared elements');
SELECT is(attempt(decode(string_agg(lpad(to_hex((random() * 255)::integer), 2, '0'), ''), 'hex')), '22P03', 'random bytes')
FROM generate_series(1, 4000);

SELECT * FROM finish();
ROLLBACK;
