/*
 * src/base/sp_room.h
 *
 * Whether something that can be done without may take bytes of a store that
 * others need: a quarter of it is left alone, 64 MB of a large one.
 */
#ifndef SP_ROOM_H
#define SP_ROOM_H

#include <stdbool.h>
#include <stdint.h>

#define SP_ROOM_RESERVED (UINT64_C(64) * 1024 * 1024)

static inline bool
sp_leaves_room(uint64_t size, uint64_t available, uint64_t total)
{
	uint64_t	reserve = total / 4 < SP_ROOM_RESERVED ? total / 4 : SP_ROOM_RESERVED;

	return available >= size && available - size >= reserve;
}

#endif
