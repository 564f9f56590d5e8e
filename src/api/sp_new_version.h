/*
 * src/api/sp_new_version.h
 *
 * From a model, however it was read, to the row of a version.
 */
#ifndef SP_NEW_VERSION_H
#define SP_NEW_VERSION_H

#include "server/sp_compat.h"

#include "api/sp_import_options.h"
#include "ir/sp_model.h"
#include "registry/sp_registry.h"

/*
 * Fill in all that follows from the model and the options; the bytes and the
 * source format are the caller's.  The model is packed, as what cannot be
 * loaded must not get in, and must answer the golden rows: 22023 with the
 * first mismatch, and what sp_pack raises.
 */
extern void sp_new_version(SpContext *cx, const char *name, const SpModel *model,
						   const SpImportOptions *options, SpNewVersion *version);

/* What a caller passes: a number of the type, a category, or the code of one that the file does not list. */
extern const char *sp_feature_type(const SpFeature *feature);

#endif
