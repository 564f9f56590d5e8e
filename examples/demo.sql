-- demo.sql - what smartpouch does, in one minute: a trained model goes into the
-- database, rows of a table come out scored. "make demo" runs it in the folder
-- of the fixture that it uses; it can be run again.
--
-- The model tells what a person wearing the pouch does from five seconds of
-- accelerometer and gyroscope. XGBoost trained it on other recordings than the
-- ones scored here (examples/, test/data/README.md).

\pset footer off
\pset linestyle unicode
\pset border 1
SET client_min_messages = warning;

DROP TABLE IF EXISTS pouch_window, pouch_truth;
DROP EXTENSION IF EXISTS smartpouch CASCADE;
CREATE EXTENSION smartpouch;

-- A table as an application would have it. Its columns carry the names of the
-- model's features; their order does not matter, and more columns do no harm.
CREATE TABLE pouch_window (
	accel_x_mean real, accel_x_std real, accel_x_min real, accel_x_max real, accel_x_energy real, accel_x_dominant_frequency real,
	accel_y_mean real, accel_y_std real, accel_y_min real, accel_y_max real, accel_y_energy real, accel_y_dominant_frequency real,
	accel_z_mean real, accel_z_std real, accel_z_min real, accel_z_max real, accel_z_energy real, accel_z_dominant_frequency real,
	gyro_x_mean real, gyro_x_std real, gyro_x_min real, gyro_x_max real, gyro_x_energy real, gyro_x_dominant_frequency real,
	gyro_y_mean real, gyro_y_std real, gyro_y_min real, gyro_y_max real, gyro_y_energy real, gyro_y_dominant_frequency real,
	gyro_z_mean real, gyro_z_std real, gyro_z_min real, gyro_z_max real, gyro_z_energy real, gyro_z_dominant_frequency real
);
\copy pouch_window FROM 'rows.csv' WITH (FORMAT csv, HEADER true)
ALTER TABLE pouch_window ADD COLUMN id integer GENERATED ALWAYS AS IDENTITY;

-- What the person really did.
CREATE TABLE pouch_truth (truth integer, label integer,
	p_0 real, p_1 real, p_2 real, p_3 real, raw_0 real, raw_1 real, raw_2 real, raw_3 real);
\copy pouch_truth FROM 'expected.csv' WITH (FORMAT csv, HEADER true)
ALTER TABLE pouch_truth ADD COLUMN id integer GENERATED ALWAYS AS IDENTITY;
ANALYZE pouch_window, pouch_truth;

-- psql reads the file, so the server needs no access to it.
\set artifact `base64 -w 0 model.json`
\echo
\echo '1. Import: one call, then let production serve it.'
\echo
SELECT smartpouch.import_model('motion', decode(:'artifact', 'base64'),
	labels => ARRAY['Standing', 'Running', 'Walking', 'Badminton']) AS imported_version;
SELECT FROM smartpouch.promote('motion', 1, 'production', 'demo') \gset
\x on
SELECT model, version, task, source_format, producer, objective,
	cardinality(feature_names) AS features, labels, trees, nodes,
	pg_size_pretty(artifact_bytes) AS file, encode(artifact_sha256, 'hex') AS file_sha256
FROM smartpouch.versions;
\x off
\echo '2. Predict: ten held-out windows, bound by column name, missing values included.'
\echo
SELECT w.id, (ARRAY['Standing', 'Running', 'Walking', 'Badminton'])[t.truth + 1] AS truth,
	smartpouch.predict_label('motion', w) AS predicted,
	round(smartpouch.predict_proba('motion', w, 'Walking')::numeric, 3) AS p_walking,
	num_nulls(w.accel_x_mean, w.accel_x_energy, w.accel_y_mean, w.accel_y_energy, w.accel_z_mean, w.accel_z_energy, w.gyro_x_mean, w.gyro_x_energy, w.gyro_y_mean, w.gyro_y_energy, w.gyro_z_mean, w.gyro_z_energy) AS "nulls of 12"
FROM pouch_window w JOIN pouch_truth t USING (id)
WHERE w.id % 12 = 1 ORDER BY w.id;

\echo '3. Accuracy over all held-out windows.'
\echo
SELECT count(*) AS windows,
	count(smartpouch.predict_label('motion@production', w)) AS scored,
	round(avg((smartpouch.predict_label('motion', w)
		= (ARRAY['Standing', 'Running', 'Walking', 'Badminton'])[t.truth + 1])::integer), 4) AS accuracy
FROM pouch_window w JOIN pouch_truth t USING (id);

\echo '4. Speed: every window a thousand times, one backend.'
\echo
SELECT count(predicted) AS rows,
	round(extract(epoch FROM clock_timestamp() - statement_timestamp()), 2) AS seconds,
	round(count(predicted) / extract(epoch FROM clock_timestamp() - statement_timestamp())) AS rows_per_second
FROM (SELECT smartpouch.predict_label('motion', w) AS predicted
	FROM pouch_window w, generate_series(1, 1000) OFFSET 0) scored;

\echo '5. Backup: the whole database, restored into another one, where rows and predictions must be equal.'
\echo
SELECT smartpouch.backup() AS backup \gset
SELECT kind, pg_size_pretty(bytes) AS size, artefacts,
	round(extract(epoch FROM finished_at - started_at), 2) AS seconds
FROM smartpouch.backups WHERE id = :backup;
SELECT item, passed, left(detail, 60) AS detail FROM smartpouch.verify_backup(:backup);

\echo '6. Health.'
\echo
SELECT key AS check, value -> 0 ->> 'status' AS status,
	concat_ws(' ', value -> 0 ->> 'observedValue', value -> 0 ->> 'observedUnit') AS observed
FROM jsonb_each(smartpouch.health() -> 'checks') ORDER BY 1;
