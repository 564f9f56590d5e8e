/*
 * src/auth/sp_audit_ring.h
 *
 * Refusals on their way to the tables of their databases, in shared memory of
 * fixed size.  One that finds no room is lost to the table (the server log has
 * it) and counted, by database and in all.
 */
#ifndef SP_AUDIT_RING_H
#define SP_AUDIT_RING_H

#include "server/sp_compat.h"

#include "storage/latch.h"
#include "utils/timestamp.h"

#include "auth/sp_audit.h"

#define SP_AUDIT_RING 1024		/* entries */
#define SP_AUDIT_LOSERS 64		/* databases whose losses are counted apart */
#define SP_AUDIT_TEXT 128		/* bytes kept of a text that a caller has a say in, with the zero byte */

/* Texts are empty for NULL, free of tokens, and cut. */
typedef struct SpAuditEntry
{
	uint64		number;			/* goes up by one */
	TimestampTz at;
	Oid			database;
	SpRefusalReason reason;
	char		key_id[SP_KEY_ID_SIZE];
	char		session_role[NAMEDATALEN];
	char		acting_role[NAMEDATALEN];
	char		client_address[SP_AUDIT_TEXT];
	char		application_name[NAMEDATALEN];
	char		owner[SP_AUDIT_TEXT];
	char		action[SP_AUDIT_TEXT];
	char		resource[SP_AUDIT_TEXT];
} SpAuditEntry;

/* Once per process, from _PG_init. */
extern void sp_audit_ring_init(void);

/* Is there a ring? */
extern bool sp_audit_ring_available(void);

/* Never raises. */
extern void sp_audit_ring_put(const SpAuditEntry *entry);

/* Entries now, and those lost since the server started with the time of the last; zeros without a ring. */
extern void sp_audit_ring_facts(int64 *entries, uint64 *lost, TimestampTz *lost_at);

/* ---- for the background worker ---- */

/* The latch to set when half of the ring is full; NULL for none. */
extern void sp_audit_ring_set_reader(Latch *reader);
extern int	sp_audit_ring_databases(Oid *databases, int room);

/* The entries of this database, oldest first and palloc'd, and how many were lost and not told of. */
extern SpAuditEntry *sp_audit_ring_copy(int *count, uint64 *lost);

/* Take away what sp_audit_ring_copy gave, up to number, and so many losses. */
extern void sp_audit_ring_remove(Oid database, uint64 number, uint64 lost);

/* Forget the database. */
extern void sp_audit_ring_discard(Oid database);

#endif
