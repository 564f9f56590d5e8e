CREATE VIEW smartpouch.models WITH (security_barrier) AS
SELECT m.name AS model, r.rolname AS owner,
	(SELECT pg_catalog.count(*) FROM smartpouch.version v WHERE v.model_id = m.id) AS versions,
	(SELECT pg_catalog.max(v.version) FROM smartpouch.version v WHERE v.model_id = m.id) AS newest,
	(SELECT d.version FROM smartpouch.deployment d
		WHERE d.model_id = m.id AND d.stage = 'production') AS production,
	m.created_at
FROM smartpouch.model m
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = m.owner_oid AND m.owner_cluster = smartpouch._cluster_id()
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.models IS 'models, their owners and what production serves';

CREATE VIEW smartpouch.versions WITH (security_barrier) AS
SELECT m.name AS model, v.version, v.task, v.source_format, v.producer, v.objective,
	v.feature_names, v.feature_types, v.labels, v.accepts_missing, v.on_missing, v.on_unseen,
	v.trees, v.nodes, v.parameters, v.memory_bytes, v.row_cost_ns, v.program_sha256 AS sha256,
	v.artifact_sha256, v.artifact_bytes, v.imported_at, v.imported_by
FROM smartpouch.version v JOIN smartpouch.model m ON m.id = v.model_id
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.versions IS 'every version of every model';

CREATE VIEW smartpouch.deployments WITH (security_barrier) AS
SELECT m.name AS model, d.stage, d.version, d.replaced, d.promoted_at, d.promoted_by, d.note
FROM smartpouch.deployment d JOIN smartpouch.model m ON m.id = d.model_id
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.deployments IS 'the version that serves each stage of each model';

CREATE VIEW smartpouch.aliases WITH (security_barrier) AS
SELECT m.name AS model, a.alias, a.version
FROM smartpouch.alias a JOIN smartpouch.model m ON m.id = a.model_id
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.aliases IS 'free names of versions';

CREATE VIEW smartpouch.stages AS
SELECT s.name AS stage, s.position FROM smartpouch.stage s
UNION ALL
SELECT d.stage COLLATE "C", d.position
FROM (VALUES ('development', 1), ('testing', 2), ('staging', 3), ('production', 4))
	AS d (stage, position)
WHERE NOT EXISTS (SELECT FROM smartpouch.stage);
COMMENT ON VIEW smartpouch.stages IS 'the ladder of stages, lowest first';

CREATE VIEW smartpouch.evaluations WITH (security_barrier) AS
SELECT m.name AS model, e.version, e.dataset, e.metrics, e.recorded_at, e.recorded_by, e.seq
FROM smartpouch.evaluation e JOIN smartpouch.model m ON m.id = e.model_id
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.evaluations IS 'what was measured of versions';

CREATE VIEW smartpouch.history WITH (security_barrier) AS
SELECT COALESCE(m.name, e.model) AS model, e.at, e.action, e.version, e.stage,
	e.replaced_version, e.detail, e.note, e.evidence, e.session_role, e.acting_role,
	e.api_key_id, e.client_address, e.seq, e.recorded_at, e.hash, e.model_id
FROM smartpouch.event e LEFT JOIN smartpouch.model m ON m.id = e.model_id
WHERE smartpouch._can_see(e.model_id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.history IS 'what happened to models, when and by whom';

CREATE VIEW smartpouch.model_grants WITH (security_barrier) AS
SELECT m.name AS model, COALESCE(r.rolname::text, g.role_name) AS role, g.privilege,
	r.rolname IS NOT NULL AS valid, g.granted_at, g.granted_by
FROM smartpouch.model_grant g JOIN smartpouch.model m ON m.id = g.model_id
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.role_oid AND g.role_cluster = smartpouch._cluster_id()
WHERE smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.model_grants IS 'privileges of roles on models';

CREATE VIEW smartpouch.access_grants AS
SELECT COALESCE(r.rolname::text, g.role_name) AS role, g.level, r.rolname IS NOT NULL AS valid,
	g.granted_at, g.granted_by
FROM smartpouch.access_grant g
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = g.role_oid AND g.role_cluster = smartpouch._cluster_id();
COMMENT ON VIEW smartpouch.access_grants IS 'levels of access of roles';

CREATE VIEW smartpouch.snapshots WITH (security_barrier) AS
SELECT s.id, COALESCE(m.name, s.model) AS model, s.version, s.label, s.sha256, s.signature,
	s.program_sha256, s.program_bytes, s.artifact_sha256, s.artifact_bytes,
	pg_catalog.jsonb_array_length(s.content -> 'golden') AS golden_rows,
	pg_catalog.jsonb_array_length(s.content -> 'evaluations') AS evaluations,
	s.taken_at, s.taken_by
FROM smartpouch.snapshot s LEFT JOIN smartpouch.model m ON m.id = s.model_id
WHERE smartpouch._can_see(s.model_id, COALESCE(m.owner_oid, s.owner_oid), COALESCE(m.owner_cluster, s.owner_cluster));
COMMENT ON VIEW smartpouch.snapshots IS 'what versions were at one moment';
