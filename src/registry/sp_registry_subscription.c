/*
 * src/registry/sp_registry_subscription.c
 *
 * Whether the registry is a logical subscriber's copy of another one.
 */
#include "server/sp_compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_subscription_rel.h"

#include "registry/sp_registry.h"

/* The name of the cluster is none of it: its row may meet the publisher's, and nothing waits for that. */
static bool
is_ours(Oid relation)
{
	bool		found = false;

	for (int i = 0; !found && i < SP_N_TABLES; i++)
		found = i != SP_TABLE_CLUSTER && sp_registry_table(i) == relation;
	return found;
}

SpSubscription
sp_registry_subscription(Snapshot snapshot)
{
	Relation	catalog = table_open(SubscriptionRelRelationId, AccessShareLock);
	SysScanDesc scan = systable_beginscan(catalog, SubscriptionRelSrrelidSrsubidIndexId, true, snapshot, 0, NULL);
	SpSubscription subscription = SP_NOT_SUBSCRIBED;
	HeapTuple	tuple;

	while (subscription != SP_HALF_COPIED && HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_subscription_rel row = (Form_pg_subscription_rel) GETSTRUCT(tuple);

		if (is_ours(row->srrelid))
			subscription = row->srsubstate == SUBREL_STATE_READY ? SP_SUBSCRIBED : SP_HALF_COPIED;
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return subscription;
}
