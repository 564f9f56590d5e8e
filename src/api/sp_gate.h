/*
 * src/api/sp_gate.h
 *
 * Gates: what a version must show before a stage takes it.  A rule is an object
 * with any of
 *
 *	golden			true: the version has golden rows, and answers them
 *	evaluations		array of {"dataset": name, "metric": name, "min": x, "max": y}:
 *					the newest evaluation of the data set has that metric within the
 *					bounds; metric may be an array of names, into objects of objects
 *	served			an interval: so long the version has served the stage below
 *	second_person	true: who promotes is not who imported, by the roles of their sessions
 */
#ifndef SP_GATE_H
#define SP_GATE_H

#include "server/sp_compat.h"

#include "utils/jsonb.h"

#include "registry/sp_registry.h"

/* 22023 for what is no rule; "served" needs a stage below. */
extern void sp_gate_check_rule(const char *stage, Jsonb *rule);

/*
 * What the version has shown, as one object; raises 55000 that says of every
 * rule that it does not meet what was asked and what was found.
 */
extern Jsonb *sp_gate_pass(const SpGate *gate, const char *model, const char *stage);

#endif
