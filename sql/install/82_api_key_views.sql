-- What may be seen of API keys.
CREATE VIEW smartpouch.api_keys WITH (security_barrier) AS
SELECT k.id COLLATE "default" AS key_id, k.owner, k.stage, k.scopes, f.code, k.rate_limit, k.burst, k.quota, k.description, k.tags,
	r.rolname AS creator, k.created_at, k.not_before, k.expires_at, k.enabled, k.revoked_at, k.revoke_reason,
	k.replaced_by, k.chain, k.pepper, coalesce(u.uses, 0) AS uses, u.last_used_at, coalesce(u.refused, '{}') AS refused,
	CASE WHEN k.quota IS NOT NULL THEN coalesce(q.used, 0) END AS quota_used
FROM smartpouch.api_key k
	CROSS JOIN LATERAL smartpouch._api_key_facts(k.id) f
	LEFT JOIN pg_catalog.pg_roles r ON r.oid = k.creator_oid AND k.creator_cluster = smartpouch._cluster_id()
	LEFT JOIN smartpouch.key_use u ON u.key_id = k.id
	LEFT JOIN smartpouch.quota_use q ON q.kind = 'k' AND q.name = k.chain
		AND q.month = pg_catalog.date_trunc('month', pg_catalog.now() AT TIME ZONE 'UTC')::date
WHERE f.visible;
COMMENT ON VIEW smartpouch.api_keys IS 'API keys, without their hashes';
