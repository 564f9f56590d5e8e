/*
 * src/api/sp_new_version.c
 */
#include "server/sp_compat.h"

#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "api/sp_golden.h"
#include "api/sp_new_version.h"
#include "api/sp_result.h"
#include "ir/sp_pack.h"
#include "ir/sp_row_cost.h"
#include "server/sp_error.h"

const char *
sp_feature_type(const SpFeature *feature)
{
	bool		is_number = feature->categories.kind == SP_CATEGORIES_NONE ||
		feature->categories.kind == SP_CATEGORIES_CODE;

	if (feature->is_code && is_number)
		return "code";
	return is_number ? sp_type_name(feature->type) : "category";
}

static void
describe(const SpModel *model, const SpImage *image, SpNewVersion *version)
{
	const char **names = palloc(mul_size(model->n_features, sizeof(char *)));
	const char **types = palloc(mul_size(model->n_features, sizeof(char *)));

	for (uint32 i = 0; i < model->n_features; i++)
	{
		names[i] = model->features[i].name;
		types[i] = sp_feature_type(&model->features[i]);
	}
	version->producer = text_to_cstring(sp_text_from_utf8(model->producer));
	version->objective = text_to_cstring(sp_text_from_utf8(model->objective));
	version->task = sp_task_name(model->task);
	version->feature_names = sp_text_array(names, model->n_features);
	version->feature_types = sp_text_array(types, model->n_features);
	version->labels = model->n_labels > 0 ? sp_text_array(model->labels, model->n_labels) : (Datum) 0;
	version->accepts_missing = model->accepts_missing;
	version->trees = (int64) model->n_trees;
	version->nodes = (int64) model->n_nodes;
	version->parameters = (int64) model->n_parameters;
	version->memory_bytes = (int64) image->size;
	version->row_cost = sp_row_cost(image);
}

/* The golden rows of the options, against the model that is to become a version. */
static void
check_golden(const char *name, const SpImage *image, const SpImportOptions *options)
{
	char	   *mismatch;
	const SpGoldenRow *row = sp_golden_first_mismatch(image, psprintf("model \"%s\"", name), options->golden,
													  options->n_golden, &mismatch);

	if (row != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("golden row %d does not match: %s", (int) (row - options->golden) + 1, mismatch),
				 errdetail("Nothing was imported.")));
}

void
sp_new_version(SpContext *cx, const char *name, const SpModel *model,
			   const SpImportOptions *options, SpNewVersion *version)
{
	SpImage    *image;

	if (sp_pack(cx, model, &image) != SP_OK)
		sp_raise(cx, NULL);
	check_golden(name, image, options);
	describe(model, image, version);
	version->on_missing = options->on_missing_json ? JsonbPGetDatum(options->on_missing_json) :
		DirectFunctionCall1(jsonb_in, CStringGetDatum("\"source\""));
	version->on_unseen = sp_unseen_name(model->on_unseen);
	version->golden = options->golden;
	version->n_golden = options->n_golden;
}
