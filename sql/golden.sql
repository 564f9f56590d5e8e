-- Rows with known answers. Uses table tiny of smoke.sql.
\set SHOW_CONTEXT never
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [
	{"features": {"age": 40, "weight": 60}, "expected": {"value": 1.75, "raw": [1.75]}},
	{"features": ["NaN", 60], "expected": {"value": -0.2500001}, "tolerance": 1e-5},
	{"features": [null, 60], "expected": {"value": -0.25}, "tolerance": 0}]}')
FROM tiny WHERE name = 'regression';
SELECT * FROM smartpouch.check_golden('gold:1');
-- an import that does not answer so is refused, with the first difference
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [
	{"features": [40, 60], "expected": {"value": 1.75}},
	{"features": [40, 60], "expected": {"value": 1.76}},
	{"features": [40, 60], "expected": {"value": 1.77}}]}')
FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT count(*) FROM smartpouch.versions WHERE model = 'gold';
-- classifiers
SELECT smartpouch.import_model('gold', artifact, labels => ARRAY['low', 'high'], options => '{"golden": [
	{"features": [40, 60], "expected": {"label": "high", "probabilities": {"low": 0.2227, "high": 0.7773}, "raw": [1.25]}, "tolerance": 1e-5},
	{"features": [40, 60], "expected": {"probabilities": [0.2227, 0.7773]}, "tolerance": 1e-5}]}')
FROM tiny WHERE name = 'classifier';
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"label": "low"}');
SELECT * FROM smartpouch.check_golden('gold:2');
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"label": "high"}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"probabilities": {"low": 0.5, "high": 0.5}}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"probabilities": {"low": 0.5, "tall": 0.5}}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"probabilities": [0.5]}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"value": 1}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{"colour": 1}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '{}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:2', '[20, 60]', '[]'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '[20, 60]', '{"value": "much"}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '[20]', '{"value": 1}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '["Infinity", 60]', '{"value": 1}'); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '[20, 60]', '{"value": 1}', -1); \echo :SQLSTATE
SELECT smartpouch.add_golden('gold:1', '["-0", 60]', '{"value": -0.25}');
SELECT smartpouch.add_golden('gold:9', '[20, 60]', '{"value": 1}'); \echo :SQLSTATE
-- the special strings are for golden rows only
SELECT smartpouch.predict_json('gold:1', '["NaN", 60]'); \echo :SQLSTATE
SELECT smartpouch.drop_golden('gold:1', 4);
SELECT smartpouch.drop_golden('gold:1', 4); \echo :SQLSTATE
SELECT count(*), max(seq) FROM smartpouch.check_golden('gold:1');
-- wrong options
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": 1}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [1]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": [1, 2]}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"golden": [{"features": [1, 2], "expected": {"value": 1}, "tolerance": "big"}]}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"iterations": 0}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"start_iteration": -1}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"start_iteration": 9}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('gold', artifact, options => '{"best_iteration": 1}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
