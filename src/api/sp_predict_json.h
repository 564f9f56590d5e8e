/*
 * src/api/sp_predict_json.h
 *
 * All outputs of one row as jsonb, for predict_json() and what answers as it does.
 */
#ifndef SP_PREDICT_JSON_H
#define SP_PREDICT_JSON_H

#include "server/sp_compat.h"

#include "utils/jsonb.h"

#include "api/sp_call_site.h"

/* The answer of the version that the site serves. */
extern Datum sp_predict_json(SpCallSite *site, Jsonb *features);

#endif
