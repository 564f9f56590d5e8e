/*
 * src/auth/sp_key_identity.c
 */
#include "server/sp_compat.h"

#include "access/xact.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "auth/sp_key_verify.h"
#include "auth/sp_key_identity.h"

static struct
{
	bool		set;
	SubTransactionId subtransaction;	/* that it goes with */
	uint64		generation;		/* of the registry when the row was read */
	SpApiKeyRow row;			/* scopes live as long as the transaction */
}			identity;

static void
forget(void)
{
	memset(&identity, 0, sizeof(identity));
}

static void
transaction_event(XactEvent event, void *arg)
{
	(void) arg;
	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			forget();
			break;
		default:
			break;
	}
}

static void
subtransaction_event(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	(void) arg;
	if (!identity.set || identity.subtransaction != mine)
		return;
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		identity.subtransaction = parent;
	else if (event == SUBXACT_EVENT_ABORT_SUB)
		forget();
}

/* Who has shown an API key, for the history. */
static const char *
api_key_id(void)
{
	const SpApiKeyRow *row = sp_key_identity();

	return row != NULL ? row->id : NULL;
}

void
sp_key_identity_init(void)
{
	RegisterXactCallback(transaction_event, NULL);
	RegisterSubXactCallback(subtransaction_event, NULL);
	sp_registry_api_key = api_key_id;
}

static void
take(const SpApiKeyRow *row)
{
	identity.row = *row;
	identity.row.scopes = MemoryContextAlloc(TopTransactionContext, VARSIZE(row->scopes));
	memcpy(identity.row.scopes, row->scopes, VARSIZE(row->scopes));
}

void
sp_key_identity_set(const SpApiKeyRow *row)
{
	if (identity.set && strcmp(identity.row.id, row->id) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION),
				 errmsg("this transaction is authenticated with another API key"),
				 errhint("Authenticate in a transaction of its own.")));
	if (identity.set)
		return;
	/* an invalidation that has arrived since the row was read makes the next look read again */
	identity.generation = 0;
	take(row);
	identity.subtransaction = GetCurrentSubTransactionId();
	identity.set = true;
}

/* The row again, after something changed; false when it is gone or its hash another one. */
static bool
refresh(void)
{
	uint64		generation = sp_registry_generation;
	SpApiKeyRow row;

	if (!sp_registry_api_key_at(identity.row.id, &row) || strcmp(row.id, identity.row.id) != 0 ||
		memcmp(row.hash, identity.row.hash, sizeof(row.hash)) != 0)
		return false;
	pfree(identity.row.scopes);
	take(&row);
	pfree(row.scopes);
	identity.generation = generation;
	return true;
}

const SpApiKeyRow *
sp_key_identity(void)
{
	SpRefusalReason reason;

	if (!identity.set)
		return NULL;
	/* a statement without tables accepts them nowhere else */
	AcceptInvalidationMessages();
	if (identity.generation != sp_registry_generation && !refresh())
		return NULL;
	return sp_key_holds(&identity.row, &reason) ? &identity.row : NULL;
}
