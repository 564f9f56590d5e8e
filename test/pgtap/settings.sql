-- Answers are the same whatever the session of the caller has set for the text of values.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(11);
\i tiny.inc

-- float32 sums, which have 16 digits as double precision
SELECT smartpouch.import_model('m', convert_to(replace(convert_from(artifact, 'UTF8'), '5E-1', '1E-1'), 'UTF8')) FROM tiny WHERE name = 'regression' \gset
SELECT smartpouch.predict_json('m:1', '[40, 60]') AS answer, smartpouch.predict('m:1', ARRAY[40, 60]) AS value \gset
SELECT is((:'answer'::jsonb ->> 'value')::float8, 1.35::float4::float8, 'predict_json gives all digits');

CREATE FUNCTION pg_temp.answers(setting text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	answers text;
BEGIN
	PERFORM set_config(setting, value, true);
	answers := concat_ws(' ', smartpouch.predict_json('m:1', '[40, 60]'), smartpouch.predict_json_for('m:1', 'key', '[40, 60]'),
		smartpouch.evaluate('m:1', 'SELECT 40.0 AS age, 60.0 AS weight, 1.0 AS truth'));
	RAISE EXCEPTION USING MESSAGE = answers;
EXCEPTION WHEN raise_exception THEN
	RETURN SQLERRM;	-- the setting is what it was
END $$;
SELECT is(pg_temp.answers(setting, value), pg_temp.answers('extra_float_digits', '1'), format('%s = %s', setting, value))
FROM (VALUES ('extra_float_digits', '0'), ('extra_float_digits', '-15'), ('DateStyle', 'German'), ('IntervalStyle', 'sql_standard'),
	('quote_all_identifiers', 'on'), ('standard_conforming_strings', 'off'), ('array_nulls', 'off'), ('search_path', 'pg_temp')) s (setting, value);

-- what is compared and what is said of it
SET LOCAL extra_float_digits = -15;
SELECT throws_ok($$ SELECT smartpouch.add_golden('m:1', '[40, 60]', '{"value": 1.3125}') $$, '22023',
	'the golden row does not match model "m" version 1: value is 1.350000023841858, expected 1.3125', 'an error shows where the numbers differ');
SELECT lives_ok($$ SELECT smartpouch.add_golden('m:1', '[40, 60]', smartpouch.predict_json('m:1', '[40, 60]') - 'model' - 'version', 0) $$,
	'what predict_json gave is what it gives, to the last bit');
SELECT * FROM finish();
ROLLBACK;
