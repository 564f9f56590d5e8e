-- The registry. Rows are written only by the functions of this extension
-- (as the owner of the tables); the C code reads them by these names.
--
-- There are no foreign keys between tables that pg_dump carries: they exist
-- before the data does, and a parallel restore loads the tables of an extension in
-- any order. The functions change a model under the lock of its row, and
-- health() looks for rows that lead nowhere. They are heap tables whatever the
-- default is: the C code goes back to a row by its place.

-- A role is stored by OID together with the cluster it belongs to, so that
-- neither a recreated role of the same name nor a restore into another
-- cluster inherits its rights. The name is for people.
CREATE TABLE smartpouch.model (
	id uuid CONSTRAINT model_pkey PRIMARY KEY,
	name text COLLATE "C" NOT NULL CONSTRAINT model_name_key UNIQUE
		CONSTRAINT model_name_check
		CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_.-]*$' AND octet_length(name) <= 63),
	owner_oid oid NOT NULL,
	owner_name text NOT NULL,
	owner_cluster text NOT NULL,
	last_version integer NOT NULL DEFAULT 0,
	last_event bigint NOT NULL DEFAULT 0,
	last_event_hash bytea NOT NULL DEFAULT pg_catalog.decode(pg_catalog.repeat('00', 32), 'hex'),
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
) USING heap;

-- Bytes by their SHA-256, in pieces of at most 1 MiB: model files as they
-- came, and the stored form made from them.
CREATE TABLE smartpouch.blob (
	sha256 bytea NOT NULL CONSTRAINT blob_sha256_check CHECK (octet_length(sha256) = 32),
	seq integer NOT NULL CONSTRAINT blob_seq_check CHECK (seq >= 0),
	bytes bytea NOT NULL CONSTRAINT blob_bytes_check
		CHECK (octet_length(bytes) BETWEEN 1 AND 1048576),
	CONSTRAINT blob_pkey PRIMARY KEY (sha256, seq)
) USING heap;
-- Decompression would be paid at every load and gains little on binary files.
ALTER TABLE smartpouch.blob ALTER COLUMN bytes SET STORAGE EXTERNAL;

CREATE TABLE smartpouch.version (
	model_id uuid NOT NULL,
	version integer NOT NULL CONSTRAINT version_version_check CHECK (version > 0),
	program_sha256 bytea NOT NULL CONSTRAINT version_program_check CHECK (octet_length(program_sha256) = 32),
	program_bytes bigint NOT NULL CONSTRAINT version_program_bytes_check CHECK (program_bytes > 0),
	artifact_sha256 bytea NOT NULL CONSTRAINT version_artifact_check CHECK (octet_length(artifact_sha256) = 32),
	artifact_bytes bigint NOT NULL CONSTRAINT version_artifact_bytes_check CHECK (artifact_bytes > 0),
	memory_bytes bigint NOT NULL CONSTRAINT version_memory_check CHECK (memory_bytes > 0),
	row_cost_ns bigint NOT NULL CONSTRAINT version_row_cost_check CHECK (row_cost_ns > 0),
	source_format text NOT NULL,
	producer text NOT NULL,
	objective text NOT NULL,
	task text NOT NULL,
	feature_names text[] NOT NULL,
	feature_types text[] NOT NULL,
	labels text[],
	accepts_missing boolean NOT NULL,
	on_missing jsonb NOT NULL DEFAULT '"source"',
	on_unseen text NOT NULL DEFAULT 'source',
	trees bigint NOT NULL,
	nodes bigint NOT NULL,
	parameters bigint NOT NULL,
	imported_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	imported_by text NOT NULL,
	CONSTRAINT version_pkey PRIMARY KEY (model_id, version)
) USING heap;
CREATE INDEX version_program_idx ON smartpouch.version (program_sha256);
CREATE INDEX version_artifact_idx ON smartpouch.version (artifact_sha256);

-- What serves a stage, and under it the versions that earlier promotions left
-- there: the newest is the last element. Beside it a canary, which answers a
-- share of the keys, and a shadow, which is only compared: in the same row, so that
-- whoever has read what serves has read, and is told of changes of, all three.
CREATE TABLE smartpouch.deployment (
	model_id uuid NOT NULL,
	stage text COLLATE "C" NOT NULL,
	version integer NOT NULL,
	replaced integer[] NOT NULL DEFAULT '{}',
	promoted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	promoted_by text NOT NULL,
	note text,
	canary_version integer,
	canary_percent double precision,
	shadow_version integer,
	shadow_percent double precision,
	shadow_since timestamptz,
	CONSTRAINT deployment_pkey PRIMARY KEY (model_id, stage),
	CONSTRAINT deployment_canary_check CHECK (pg_catalog.num_nulls(canary_version, canary_percent) IN (0, 2)
		AND canary_percent BETWEEN 0 AND 100),
	CONSTRAINT deployment_shadow_check CHECK (pg_catalog.num_nulls(shadow_version, shadow_percent, shadow_since) IN (0, 3)
		AND shadow_percent BETWEEN 0 AND 100)
) USING heap;

CREATE TABLE smartpouch.alias (
	model_id uuid NOT NULL,
	alias text COLLATE "C" NOT NULL CONSTRAINT alias_name_check
		CHECK (alias ~ '^[A-Za-z_][A-Za-z0-9_.-]*$' AND octet_length(alias) <= 63),
	version integer NOT NULL,
	CONSTRAINT alias_pkey PRIMARY KEY (model_id, alias)
) USING heap;

-- An administrator's own ladder of stages, lowest first. While it is empty
-- the ladder is development, testing, staging, production.
CREATE TABLE smartpouch.stage (
	name text COLLATE "C" CONSTRAINT stage_pkey PRIMARY KEY CONSTRAINT stage_name_check
		CHECK (name ~ '^[A-Za-z_][A-Za-z0-9_.-]*$' AND octet_length(name) <= 63),
	position integer NOT NULL CONSTRAINT stage_position_key UNIQUE
) USING heap;

-- Privileges on models, and levels of access to functions: roles as owners are stored.
CREATE TABLE smartpouch.model_grant (
	model_id uuid NOT NULL,
	role_cluster text COLLATE "C" NOT NULL,
	role_oid oid NOT NULL,
	privilege text COLLATE "C" NOT NULL CONSTRAINT model_grant_privilege_check
		CHECK (privilege IN ('predict', 'read', 'deploy')),
	role_name text NOT NULL,
	granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	granted_by text NOT NULL,
	CONSTRAINT model_grant_pkey PRIMARY KEY (model_id, role_cluster, role_oid, privilege)
) USING heap;
CREATE TABLE smartpouch.access_grant (
	role_cluster text COLLATE "C" NOT NULL,
	role_oid oid NOT NULL,
	level text COLLATE "C" NOT NULL CONSTRAINT access_grant_level_check
		CHECK (level IN ('predictor', 'deployer', 'monitor', 'admin')),
	role_name text NOT NULL,
	granted_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	granted_by text NOT NULL,
	CONSTRAINT access_grant_pkey PRIMARY KEY (role_cluster, role_oid, level)
) USING heap;

-- Append-only, kept when a model is gone. hash is the link of the model's chain
-- (src/registry/sp_registry_history.h says how it is made); the newest one is
-- last_event_hash of the model's row. at is the transaction's time, recorded_at the
-- clock's under the lock of that row, so it goes up with seq.
CREATE TABLE smartpouch.event (
	model_id uuid NOT NULL,
	seq bigint NOT NULL,
	at timestamptz NOT NULL,
	recorded_at timestamptz NOT NULL,
	model text COLLATE "C" NOT NULL,
	action text NOT NULL,
	version integer,
	stage text,
	replaced_version integer,
	detail text,
	note text,
	evidence jsonb,
	session_role text NOT NULL,
	acting_role text NOT NULL,
	api_key_id text,
	client_address inet,
	hash bytea NOT NULL CONSTRAINT event_hash_check CHECK (octet_length(hash) = 32),
	CONSTRAINT event_pkey PRIMARY KEY (model_id, seq)
) USING heap;
CREATE INDEX event_dropped_idx ON smartpouch.event (model) WHERE action = 'drop_model';

-- Files on their way in. Not dumped: an upload that a restore interrupts is begun again.
CREATE TABLE smartpouch.upload (
	id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT upload_pkey PRIMARY KEY,
	name text NOT NULL,
	role_oid oid NOT NULL,
	started_at timestamptz NOT NULL DEFAULT pg_catalog.now()
) USING heap;
CREATE TABLE smartpouch.upload_chunk (
	upload_id bigint NOT NULL
		CONSTRAINT upload_chunk_upload_fkey REFERENCES smartpouch.upload ON DELETE CASCADE,
	seq integer NOT NULL CONSTRAINT upload_chunk_seq_check CHECK (seq > 0),
	bytes bytea NOT NULL,
	CONSTRAINT upload_chunk_pkey PRIMARY KEY (upload_id, seq)
) USING heap;
ALTER TABLE smartpouch.upload_chunk ALTER COLUMN bytes SET STORAGE EXTERNAL;

COMMENT ON TABLE smartpouch.model IS 'registry: models and their owners';
COMMENT ON TABLE smartpouch.blob IS 'registry: model files and stored forms by SHA-256';
COMMENT ON TABLE smartpouch.version IS 'registry: immutable versions';
COMMENT ON TABLE smartpouch.deployment IS 'registry: the version that serves each stage';
COMMENT ON TABLE smartpouch.alias IS 'registry: free names of versions';
COMMENT ON TABLE smartpouch.stage IS 'registry: an administrator''s own ladder of stages';
COMMENT ON TABLE smartpouch.model_grant IS 'registry: privileges of roles on models';
COMMENT ON TABLE smartpouch.access_grant IS 'registry: levels of access of roles';
COMMENT ON TABLE smartpouch.event IS 'registry: what happened to models, append-only';
COMMENT ON TABLE smartpouch.upload IS 'model files being uploaded';
COMMENT ON TABLE smartpouch.upload_chunk IS 'pieces of model files being uploaded';

SELECT pg_catalog.pg_extension_config_dump('smartpouch.model', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.blob', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.version', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.deployment', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.alias', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.stage', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.model_grant', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.access_grant', '');
SELECT pg_catalog.pg_extension_config_dump('smartpouch.event', '');
