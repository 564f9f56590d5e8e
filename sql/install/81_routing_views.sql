-- What stands beside and before the versions that serve.
CREATE VIEW smartpouch.canaries WITH (security_barrier) AS
SELECT m.name AS model, d.stage, d.canary_version AS version, d.canary_percent AS percent,
	d.version AS beside, d.model_id
FROM smartpouch.deployment d JOIN smartpouch.model m ON m.id = d.model_id
WHERE d.canary_version IS NOT NULL AND smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.canaries IS 'versions that answer a share of the routing keys of a stage';

CREATE VIEW smartpouch.shadows WITH (security_barrier) AS
SELECT m.name AS model, d.stage, d.shadow_version AS version, d.shadow_percent AS sample_percent,
	d.version AS beside, d.shadow_since AS since, c.agreed, c.differed, c.errors, c.mean_difference,
	c.max_difference, c.last_error, c.last_at
FROM smartpouch.deployment d JOIN smartpouch.model m ON m.id = d.model_id
	LEFT JOIN LATERAL smartpouch._shadow_counts(d.model_id, d.stage, d.shadow_since) c ON true
WHERE d.shadow_version IS NOT NULL AND smartpouch._can_see(m.id, m.owner_oid, m.owner_cluster);
COMMENT ON VIEW smartpouch.shadows IS 'versions that are compared with what serves, and how often they agreed on this server';

CREATE VIEW smartpouch.gates AS
SELECT g.stage, g.rule, g.set_at, g.set_by FROM smartpouch.gate g;
COMMENT ON VIEW smartpouch.gates IS 'what versions must show before a stage takes them';
