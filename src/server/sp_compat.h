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

/* 16 renamed the function that gets a backend's status by its number, from 1 */
#if PG_VERSION_NUM >= 160000
#define local_backend_status_compat(i) pgstat_get_local_beentry_by_index(i)
#else
#define local_backend_status_compat(i) pgstat_fetch_stat_local_beentry(i)
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

/* 17 has a limit for whole transactions; an option of a connection */
#if PG_VERSION_NUM >= 170000
#define SP_NO_TRANSACTION_TIMEOUT " -c transaction_timeout=0"
#else
#define SP_NO_TRANSACTION_TIMEOUT ""
#endif

/* 16 moved the macros for variable-length values out of postgres.h */
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

/* From 16 on PGDLLEXPORT makes symbols visible that -fvisibility hides */
#if PG_VERSION_NUM >= 160000
#define SP_EXPORT PGDLLEXPORT
#else
#define SP_EXPORT __attribute__((visibility("default")))
#endif

/* 16 made one function of those that check rights */
#if PG_VERSION_NUM >= 160000
#define function_aclcheck_compat(function, role, mode) object_aclcheck(ProcedureRelationId, (function), (role), (mode))
#else
#define function_aclcheck_compat(function, role, mode) pg_proc_aclcheck((function), (role), (mode))
#endif

/* 16 tells membership from the right to SET ROLE */
#if PG_VERSION_NUM >= 160000
#define check_can_set_role_compat(member, role) check_can_set_role(member, role)
#else
#define check_can_set_role_compat(member, role) check_is_member_of_role(member, role)
#endif

/* 16 made instr_time a number of nanoseconds */
#if PG_VERSION_NUM >= 160000
#define sp_instr_time_ns_compat(time) INSTR_TIME_GET_NANOSEC(time)
#else
#define sp_instr_time_ns_compat(time) ((int64) (time).tv_sec * INT64CONST(1000000000) + (time).tv_nsec)
#endif

/* 17 moved the number of the backend's transaction */
#if PG_VERSION_NUM >= 170000
#define sp_local_transaction_compat() (MyProc->vxid.lxid)
#else
#define sp_local_transaction_compat() (MyProc->lxid)
#endif

/* 17 lets a resource owner close sets of events */
#if PG_VERSION_NUM >= 170000
#define create_wait_set_compat(n) CreateWaitEventSet(CurrentResourceOwner, (n))
#else
#define create_wait_set_compat(n) CreateWaitEventSet(CurrentMemoryContext, (n))
#endif

/* 18 moved the functions that print properties of EXPLAIN, and what it has been asked for */
#if PG_VERSION_NUM >= 180000
#define SP_EXPLAIN_HEADER "commands/explain_format.h"
#define SP_EXPLAIN_STATE_HEADER "commands/explain_state.h"
#else
#define SP_EXPLAIN_HEADER "commands/explain.h"
#define SP_EXPLAIN_STATE_HEADER "commands/explain.h"
#endif

/* 18 knows orders of other access methods than btree */
#if PG_VERSION_NUM >= 180000
#define operator_meanings_compat(operator) get_op_index_interpretation(operator)
#else
#define operator_meanings_compat(operator) get_op_btree_interpretation(operator)
#endif

/* 18 sorts the inputs of a set operation apart */
#if PG_VERSION_NUM >= 180000
#define set_operators_compat(plan) ((plan)->cmpOperators)
#else
#define set_operators_compat(plan) ((plan)->dupOperators)
#endif

/* 18 took execute_once from ExecutorRun() */
#if PG_VERSION_NUM >= 180000
#define SP_EXECUTOR_RUN_ARGS QueryDesc *query, ScanDirection direction, uint64 count
#define SP_EXECUTOR_RUN_PASS query, direction, count
#else
#define SP_EXECUTOR_RUN_ARGS QueryDesc *query, ScanDirection direction, uint64 count, bool once
#define SP_EXECUTOR_RUN_PASS query, direction, count, once
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
