/*
 * src/server/sp_compat.h
 *
 * Everything that differs between the supported servers, newest first; the
 * rest of the code is written as if only the newest existed.
 */
#ifndef SP_COMPAT_H
#define SP_COMPAT_H

#include "postgres.h"

#if PG_VERSION_NUM < 150000 || PG_VERSION_NUM >= 190000
#error "smartpouch needs PostgreSQL 15, 16, 17 or 18"
#endif

/* 17 has named segments of shared memory for libraries that are not preloaded */
#if PG_VERSION_NUM >= 170000
#include "storage/dsm_registry.h"
static inline void *
named_segment_compat(const char *name, Size size, void (*init) (void *segment))
{
	bool		found;

	return GetNamedDSMSegment(name, size, init, &found);
}
#else
static inline void *
named_segment_compat(const char *name, Size size, void (*init) (void *segment))
{
	(void) name;
	(void) size;
	(void) init;
	return NULL;
}
#endif

/* 16 moved the macros for variable-length values out of postgres.h */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* 16 tells membership from the right to SET ROLE */
#if PG_VERSION_NUM >= 160000
#define check_can_set_role_compat(member, role) check_can_set_role(member, role)
#else
#define check_can_set_role_compat(member, role) check_is_member_of_role(member, role)
#endif

/* 18 replaced pg_attribute_noreturn() by a prefix */
#define SP_NORETURN __attribute__((noreturn))

/* 18 lets a module say its name and version */
#if PG_VERSION_NUM >= 180000
#define SP_MODULE_MAGIC PG_MODULE_MAGIC_EXT(.name = "smartpouch", .version = SP_VERSION)
#else
#define SP_MODULE_MAGIC PG_MODULE_MAGIC
#endif

#endif
