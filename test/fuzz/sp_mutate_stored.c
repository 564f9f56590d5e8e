/*
 * test/fuzz/sp_mutate_stored.c
 */
#include <string.h>

#include "ir/sp_checksum.h"
#include "ir/sp_stored.h"
#include "sp_mutate.h"

static void
write_le(uint8_t *bytes, uint64_t number)
{
	for (int at = 0; at < 8; at++, number >>= 8)
		bytes[at] = (uint8_t) number;
}

void
sp_mutate_stored(SpMutation *mutation)
{
	size_t		body;
	size_t		at;

	if (mutation->size < SP_STORED_HEADER_SIZE)
		return;
	body = mutation->size - SP_STORED_HEADER_SIZE;
	at = SP_STORED_HEADER_SIZE + sp_mutate_below(mutation, body);
	if (sp_mutate_below(mutation, 2) == 0 && mutation->size - at >= 4)
	{
		uint32_t	number = (uint32_t) sp_mutate_integer(mutation);

		memcpy(mutation->data + at, &number, 4);
	}
	else
		sp_mutate_bytes(mutation, SP_STORED_HEADER_SIZE, body);
	body = mutation->size - SP_STORED_HEADER_SIZE;
	write_le(mutation->data + 16, body);
	write_le(mutation->data + 24, sp_checksum(mutation->data + SP_STORED_HEADER_SIZE, body));
}
