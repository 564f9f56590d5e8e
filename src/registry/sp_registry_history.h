/*
 * src/registry/sp_registry_history.h
 *
 * Rows of the table event, for the files that write and check them.
 */
#ifndef SP_REGISTRY_HISTORY_H
#define SP_REGISTRY_HISTORY_H

#include "server/sp_compat.h"

#include "server/sp_hash.h"

/* Columns in the order of sql/install/10_tables.sql, from 0; all but the last are hashed. */
enum
{
	SP_EVENT_MODEL_ID, SP_EVENT_SEQ, SP_EVENT_AT, SP_EVENT_RECORDED_AT, SP_EVENT_MODEL,
	SP_EVENT_ACTION, SP_EVENT_VERSION, SP_EVENT_STAGE, SP_EVENT_REPLACED_VERSION, SP_EVENT_DETAIL,
	SP_EVENT_NOTE, SP_EVENT_EVIDENCE, SP_EVENT_SESSION_ROLE, SP_EVENT_ACTING_ROLE,
	SP_EVENT_API_KEY_ID, SP_EVENT_CLIENT_ADDRESS, SP_EVENT_HASH
};

#define SP_EVENT_COLUMNS SP_EVENT_HASH	/* that are hashed */

/* The link that a row makes after previous (which may be link itself). */
extern void sp_event_link(const Datum *values, const bool *nulls, const uint8 *previous,
						  uint8 link[SP_SHA256_SIZE]);

#endif
