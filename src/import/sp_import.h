/*
 * src/import/sp_import.h
 *
 * From the bytes of a model file to a model.
 */
#ifndef SP_IMPORT_H
#define SP_IMPORT_H

#include "ir/sp_builder.h"

typedef enum SpFormat
{
	SP_FORMAT_UNKNOWN = 0,
	SP_FORMAT_XGBOOST_JSON,
	SP_FORMAT_XGBOOST_UBJ,
	SP_FORMAT_ONNX,
	SP_FORMAT_LIGHTGBM,
	SP_FORMAT_CATBOOST_JSON,
	SP_FORMAT_LAST = SP_FORMAT_CATBOOST_JSON
} SpFormat;

extern const char *sp_format_name(SpFormat format);	/* xgboost_json, xgboost_ubj, onnx, lightgbm, catboost_json */
/* SP_FORMAT_UNKNOWN for a name we do not know */
extern SpFormat sp_format_by_name(SpStr name);

/*
 * What the first bytes look like.  Recognised but refused formats fail with
 * SP_ERR_UNSUPPORTED and a hint how to convert (pickle/joblib, XGBoost's
 * deprecated binary format, CatBoost's binary format, gzip); bytes like nothing we know with SP_ERR_FORMAT.
 */
extern SpStatus sp_detect_format(SpContext *cx, const void *bytes, size_t size, SpFormat *format);

/*
 * Import.  format SP_FORMAT_UNKNOWN means detect; overrides may be NULL;
 * *used tells the format.  Errors: SP_ERR_FORMAT (with an offset where there
 * is one), SP_ERR_UNSUPPORTED naming the objective, operator or attribute,
 * SP_ERR_LIMIT, SP_ERR_VALUE, SP_ERR_MEMORY, SP_ERR_CANCELLED.
 * The model does not point into bytes.
 */
extern SpStatus sp_import(SpContext *cx, SpFormat format, const void *bytes, size_t size,
						  const SpOverrides *overrides, SpFormat *used, SpModel **model);

/* One per source format, called by sp_import. */
extern SpStatus sp_import_xgboost(SpContext *cx, SpFormat format, const void *bytes, size_t size,
								  const SpOverrides *overrides, SpModel **model);
extern SpStatus sp_import_onnx(SpContext *cx, const void *bytes, size_t size,
							   const SpOverrides *overrides, SpModel **model);
extern SpStatus sp_import_catboost(SpContext *cx, const void *bytes, size_t size,
								   const SpOverrides *overrides, SpModel **model);
extern SpStatus sp_import_lightgbm(SpContext *cx, const void *bytes, size_t size,
								   const SpOverrides *overrides, SpModel **model);

#endif
