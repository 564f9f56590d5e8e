-- Versions, stages, aliases, names and owners. Uses the models of smoke.sql.
\set SHOW_CONTEXT never

-- what is imported comes back byte for byte, and equal bytes are stored once
SELECT smartpouch.model_artifact('tiny:1') = artifact AS same FROM tiny WHERE name = 'regression';
SELECT smartpouch.import_model('twin', artifact) FROM tiny WHERE name = 'regression';
SELECT count(*) FROM smartpouch.blob JOIN tiny ON blob.sha256 = sha256(artifact) WHERE name = 'regression';
SELECT encode(artifact_sha256, 'hex') = encode(sha256(artifact), 'hex') AS as_sha256sum, artifact_bytes = octet_length(artifact) AS bytes
FROM smartpouch.versions, tiny WHERE model = 'twin' AND name = 'regression';

-- names given at import replace those of the file
SELECT smartpouch.import_model('twin', artifact, feature_names => ARRAY['a', 'b']) FROM tiny WHERE name = 'regression';
SELECT smartpouch.predict('twin:2', s) FROM (SELECT 60 AS b, 40 AS a) s;
SELECT version, feature_names FROM smartpouch.versions WHERE model = 'twin' ORDER BY version;
SELECT smartpouch.import_model('twin', artifact, feature_names => ARRAY['a']) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('twin', artifact, feature_names => ARRAY['a', 'a']) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('twin', artifact, feature_names => ARRAY['a', NULL]) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('twin', artifact, feature_names => ARRAY[['a', 'b']]) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('twin', artifact, labels => ARRAY['x', 'y']) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('twin', artifact, labels => ARRAY['x', 'y', 'z']) FROM tiny WHERE name = 'classifier'; \echo :SQLSTATE
SELECT smartpouch.import_model('twin', artifact, options => '{"fast": true}') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('twin', artifact, options => '[]') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('twin', artifact, format => 'pickle') FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('bad name', artifact) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('a@b', artifact) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model(NULL, artifact) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.import_model('twin', NULL); \echo :SQLSTATE
-- a refused import leaves nothing, not even a number
SELECT newest FROM smartpouch.models WHERE model = 'twin';
SELECT smartpouch.import_model('never', '\x00'); \echo :SQLSTATE
SELECT count(*) FROM smartpouch.models WHERE model = 'never';

-- stages
SELECT smartpouch.promote('twin', 1, 'production');
SELECT smartpouch.promote('twin', 2, 'production', 'second');
SELECT smartpouch.promote('twin', 2, 'production', 'again');
SELECT version, replaced, note FROM smartpouch.deployments WHERE model = 'twin';
SELECT smartpouch.promote('twin', 9, 'production'); \echo :SQLSTATE
SELECT smartpouch.promote('twin', 1, 'moon'); \echo :SQLSTATE
SELECT smartpouch.promote('nobody', 1, 'production'); \echo :SQLSTATE
SELECT smartpouch.promote('twin', NULL, 'production'); \echo :SQLSTATE

-- aliases
SELECT smartpouch.set_alias('twin', 'blue', 1);
SELECT smartpouch.set_alias('twin', 'blue', 2);
SELECT alias, version FROM smartpouch.aliases WHERE model = 'twin';
SELECT smartpouch.set_alias('twin', 'staging', 1); \echo :SQLSTATE
SELECT smartpouch.set_alias('twin', 'bl ue', 1); \echo :SQLSTATE
SELECT smartpouch.set_alias('twin', 'green', 7); \echo :SQLSTATE
SELECT smartpouch.drop_alias('twin', 'blue');
SELECT smartpouch.drop_alias('twin', 'blue'); \echo :SQLSTATE

-- names
SELECT smartpouch.rename_model('twin', 'tiny'); \echo :SQLSTATE
SELECT smartpouch.rename_model('twin', 'no good'); \echo :SQLSTATE
SELECT smartpouch.rename_model('twin', 'brother');
SELECT smartpouch.predict('brother', ARRAY[40, 60]);
SELECT smartpouch.predict('twin', ARRAY[40, 60]); \echo :SQLSTATE
SELECT DISTINCT model FROM smartpouch.history WHERE detail = 'brother';

-- everything in a transaction
BEGIN;
SELECT smartpouch.import_model('fleeting', artifact) FROM tiny WHERE name = 'regression';
SELECT smartpouch.promote('fleeting', 1, 'production');
SELECT smartpouch.predict('fleeting', ARRAY[40, 60]);
SAVEPOINT a;
SELECT smartpouch.promote('brother', 1, 'production');
SELECT smartpouch.predict('brother', s) FROM (SELECT 40 AS age, 60 AS weight) s;
ROLLBACK TO a;
SELECT smartpouch.predict('brother', s) FROM (SELECT 40 AS a, 60 AS b) s;
ROLLBACK;
SELECT smartpouch.predict('fleeting', ARRAY[40, 60]); \echo :SQLSTATE

-- versions never change, history is append-only
UPDATE smartpouch.version SET task = 'other'; \echo :SQLSTATE
UPDATE smartpouch.blob SET bytes = 'x'; \echo :SQLSTATE
DELETE FROM smartpouch.event; \echo :SQLSTATE
TRUNCATE smartpouch.event; \echo :SQLSTATE

-- uploads in pieces
SELECT smartpouch.upload_begin('pieces') AS id \gset
SELECT smartpouch.upload_chunk(:id, 2, substr(artifact, 1001)) FROM tiny WHERE name = 'regression';
SELECT smartpouch.import_upload(:id); \echo :SQLSTATE
SELECT smartpouch.upload_chunk(:id, 1, 'wrong');
SELECT smartpouch.upload_chunk(:id, 1, substr(artifact, 1, 1000)) FROM tiny WHERE name = 'regression';
SELECT smartpouch.upload_chunk(:id, 0, 'x'); \echo :SQLSTATE
SELECT smartpouch.import_upload(:id, feature_names => ARRAY['a', 'b']);
SELECT smartpouch.model_artifact('pieces:1') = artifact AS same FROM tiny WHERE name = 'regression';
SELECT smartpouch.import_upload(:id); \echo :SQLSTATE
SELECT smartpouch.upload_chunk(:id, 1, 'x'); \echo :SQLSTATE
SELECT count(*) FROM smartpouch.upload_chunk;
SELECT smartpouch.upload_begin('bad name'); \echo :SQLSTATE
-- an upload is not taken for empty
SELECT smartpouch.upload_begin('pieces') AS id \gset
SELECT smartpouch.import_upload(:id); \echo :SQLSTATE
-- too old
UPDATE smartpouch.upload SET started_at = now() - interval '25 hours' WHERE id = :id;
SELECT smartpouch.upload_begin('pieces') > :id AS begun;
SELECT count(*) FROM smartpouch.upload WHERE id = :id;

-- limits
SET smartpouch.max_model_size = '1kB';
SELECT smartpouch.import_model('big', artifact) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
SELECT smartpouch.upload_begin('big') AS id \gset
SELECT smartpouch.upload_chunk(:id, 1, convert_to(repeat('x', 2000), 'UTF8')); \echo :SQLSTATE
RESET smartpouch.max_model_size;
SET smartpouch.max_features = 1;
SELECT smartpouch.import_model('big', artifact) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
RESET smartpouch.max_features;
SET smartpouch.max_nodes = 5;
SELECT smartpouch.import_model('big', artifact) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
RESET smartpouch.max_nodes;
SET smartpouch.max_labels = 2;
SELECT smartpouch.import_model('big', convert_to(replace(replace(convert_from(artifact, 'UTF8'), 'reg:squarederror',
    'multi:softprob'), '"num_class": "0"', '"num_class": "3"'), 'UTF8')) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
RESET smartpouch.max_labels;
SET smartpouch.max_elements = 1;
SELECT smartpouch.import_model('big', artifact) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
RESET smartpouch.max_elements;
SET smartpouch.max_string_length = '1B';
SELECT smartpouch.import_model('big', artifact) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
RESET smartpouch.max_string_length;
SET smartpouch.max_nesting = 3;
SELECT smartpouch.import_model('big', artifact) FROM tiny WHERE name = 'regression'; \echo :SQLSTATE
RESET smartpouch.max_nesting;
-- a limit is about what comes in: what is there still loads, in a new session too
\c -
SET smartpouch.max_nodes = 5;
SELECT smartpouch.predict('tiny', ARRAY[40, 60]);
RESET smartpouch.max_nodes;

-- a cache that holds nothing still answers
SET smartpouch.model_memory = 0;
SELECT smartpouch.predict('tiny:1', ARRAY[40, 60]), smartpouch.predict('tiny:2', ARRAY[40, 60]), smartpouch.predict('tiny:1', ARRAY[40, 60]);
RESET smartpouch.model_memory;
SET smartpouch.model_memry = 1; \echo :SQLSTATE
