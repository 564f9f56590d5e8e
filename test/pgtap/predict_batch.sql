-- Many rows in one call: their memory, their end when the statement is cancelled.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT plan(6);
\i tiny.inc

SELECT smartpouch.import_model('m', artifact) FROM tiny WHERE name = 'regression' \gset
CREATE TABLE many (rows real[]);
ALTER TABLE many ALTER COLUMN rows SET STORAGE EXTERNAL;
INSERT INTO many SELECT array_agg(ARRAY[20 + i % 40, 60 + i % 20]::real[]) FROM generate_series(1, 1000000) i;

SELECT is((SELECT array_agg(b.value ORDER BY b.ordinal) FROM smartpouch.predict_batch('m:1', (SELECT rows[1:1000] FROM many)) b),
	(SELECT array_agg(smartpouch.predict('m:1', ARRAY[20 + i % 40, 60 + i % 20]::real[]) ORDER BY i) FROM generate_series(1, 1000) i),
	'the numbers of predict, block after block');
SELECT is(max(ordinal), 1000000, 'all rows of a large array') FROM many, smartpouch.predict_batch('m:1', rows);

-- answers beyond work_mem are on disk, not in memory
SET LOCAL work_mem = '256kB';
SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \gset
DECLARE c CURSOR FOR SELECT b.* FROM many, smartpouch.predict_batch('m:1', rows) b;
FETCH 1 FROM c \gset
SELECT is(:ordinal, 1, 'a cursor on them');
SELECT sum(total_bytes) - :before AS added FROM pg_backend_memory_contexts \gset
SELECT cmp_ok(:added::bigint, '<', 24000000::bigint, 'holds the array of 8 MB twice at most and little more');
CLOSE c;
RESET work_mem;

-- some tenths of a second of work
SAVEPOINT cancelled;
SET LOCAL statement_timeout = '40ms';
\set ON_ERROR_STOP 0
SELECT sum(value) FROM many, generate_series(1, 4), smartpouch.predict_batch('m:1', rows);
\set state :SQLSTATE
ROLLBACK TO cancelled;
\set ON_ERROR_STOP 1
SELECT is(:'state'::text, '57014', 'a timeout ends it');
SELECT is((SELECT value FROM smartpouch.predict_batch('m:1', ARRAY[[40, 60]])), 1.75::float8, 'and nothing is left behind');

SELECT * FROM finish();
ROLLBACK;
