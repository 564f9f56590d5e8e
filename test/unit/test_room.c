/*
 * test/unit/test_room.c
 *
 * base/sp_room.h: what is left to others.
 */
#include "sp_test.h"

#include "base/sp_room.h"

#define MB (UINT64_C(1024) * 1024)

int
main(void)
{
	ok(sp_leaves_room(48 * MB, 64 * MB, 64 * MB), "three quarters of a small store");
	ok(!sp_leaves_room(48 * MB + 1, 64 * MB, 64 * MB), "and no byte more");
	ok(!sp_leaves_room(1, 16 * MB, 64 * MB), "nothing when only the reserve is left");
	ok(!sp_leaves_room(1, 3 * MB, 64 * MB), "or less");
	ok(!sp_leaves_room(17 * MB, 16 * MB, 64 * MB), "nor what is not there");
	ok(sp_leaves_room(936 * MB, 1000 * MB, 4096 * MB), "64 MB of a large store stay");
	ok(!sp_leaves_room(937 * MB, 1000 * MB, 4096 * MB), "all of them");
	ok(!sp_leaves_room(UINT64_MAX, UINT64_MAX - 1, UINT64_MAX), "no overflow");
	ok(sp_leaves_room(0, 0, 0), "nothing of nothing");
	return done_testing();
}
