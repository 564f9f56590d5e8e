/*
 * src/api/sp_model_ref.h
 *
 * From a reference, or the hash of a version, to what it means to the running
 * statement, for a caller who has a right to it.
 */
#ifndef SP_MODEL_REF_H
#define SP_MODEL_REF_H

#include "server/sp_compat.h"

#include "cache/sp_resolve.h"

/*
 * Raises 22023 for what is no reference, 42704 when there is no such model,
 * 42501 unless the caller has the right (SP_MAY_...) on it, and only then
 * 42704 or 55000 when it means no version; 55000 on a subscriber before all is copied.
 */
extern void sp_model_ref(const text *ref, uint32 bit, SpResolved *resolved);

/* As sp_model_ref, but false in place of an error. */
extern bool sp_model_ref_try(const text *ref, uint32 bit, SpResolved *resolved);

/*
 * The version with this hash of its stored form, of a model that the caller
 * may predict with.  42704 when there is none, 42501 when it is of others;
 * 55000 on a subscriber before all is copied.
 */
extern void sp_model_by_program(const uint8 *program, SpResolved *resolved);

#endif
