/*
 * test/fuzz/sp_fuzz_predict.c
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "base/sp_bytes.h"
#include "ir/sp_pack.h"
#include "ir/sp_row_cost.h"
#include "kernel/sp_eval.h"
#include "sp_fuzz.h"

#define N_ROWS 11
#define MAX_EVAL_BYTES (UINT64_C(64) << 20)
#define MAX_COST 2000000		/* nanoseconds of one row; sanitizers and portable code take many times as long */
#define ALL_OUTPUTS ((1 << SP_N_OUTPUTS) - 1)

typedef struct Runner
{
	const SpImage *image;
	void	   *memory;
	SpEval	   *eval;
} Runner;

static bool
open_runner(Runner *runner, const SpImage *image, uint32_t capacity)
{
	size_t		size = sp_eval_size(image, capacity);

	runner->image = image;
	if (size == 0 || size > MAX_EVAL_BYTES)
		return false;
	runner->memory = aligned_alloc(64, size);
	/* NaN in every type, so that what is read before it is written shows */
	memset(runner->memory, 0xff, size);
	runner->eval = sp_eval_init(runner->memory, image, capacity, NULL, NULL);
	return true;
}

/* The number of a feature: ordinary ones, small and large, missing, and each feature's own extremes. */
static double
number_at(uint32_t row, uint32_t feature)
{
	static const double specials[] = {
		NAN, INFINITY, -INFINITY, 0.0, -0.0, 0x1p-149, -0x1p-1074, FLT_MAX, -FLT_MAX, DBL_MAX, 1e-35, 0x1p31, -1e19, 0.5
	};
	uint32_t	mixed = (row * 2654435761u) ^ (feature * 40503u + 7);

	if (row == 0 || mixed % 4 != 0)
		return (double) ((row * 7 + feature * 13) % 23) / 2 - 5.5;
	return specials[(mixed >> 8) % (sizeof(specials) / sizeof(specials[0]))];
}

static void
set_feature(Runner *runner, uint32_t feature, uint32_t row, double number)
{
	const SpImageFeature *place = &sp_image_features(runner->image)[feature];
	size_t		at = (size_t) row * sp_image_values(runner->image)[place->input].width + place->column;
	void	   *buffer = sp_eval_input(runner->eval, place->input);
	int64_t		integer = isnan(number) ? 0 : number > 9e18 ? INT64_MAX : number < -9e18 ? INT64_MIN : (int64_t) number;

	switch (place->type)
	{
		case SP_TYPE_F32:
			((float *) buffer)[at] = fabs(number) > FLT_MAX ? (float) copysign(INFINITY, number) : (float) number;
			break;
		case SP_TYPE_F64:
			((double *) buffer)[at] = number;
			break;
		case SP_TYPE_STRING:
			((int64_t *) buffer)[at] = integer >= 0 && integer < runner->image->n_categories ? integer : -1;
			break;
		default:
			((int64_t *) buffer)[at] = integer;
			break;
	}
}

static bool
same_bits(double a, double b)
{
	return (isnan(a) && isnan(b)) || memcmp(&a, &b, sizeof(a)) == 0;
}

static void
compare_rows(const Runner *block, uint32_t row, const Runner *single, uint32_t wanted)
{
	for (int output = 0; output < SP_N_OUTPUTS; output++)
	{
		uint32_t	value = block->image->outputs[output];

		if (value == SP_NO_VALUE || !(wanted >> output & 1))
			continue;
		for (uint32_t column = 0; column < sp_image_values(block->image)[value].width; column++)
		{
			double		a = sp_eval_output_number(block->eval, (SpOutput) output, row, column);
			double		b = sp_eval_output_number(single->eval, (SpOutput) output, 0, column);

			if (!same_bits(a, b))
				sp_fuzz_finding("row %u, %s, column %u: %.17g in a block, %.17g alone", row,
								sp_output_name((SpOutput) output), column, a, b);
			if (output == SP_OUTPUT_LABEL && !(a >= 0 && a < block->image->n_labels))
				sp_fuzz_finding("row %u: label %g of %u", row, a, block->image->n_labels);
		}
	}
}

static void
run(const Runner *runner, uint32_t rows, uint32_t wanted, bool may_have_missing)
{
	SpStatus	status = sp_eval_run(runner->eval, rows, wanted, may_have_missing);

	if (status != SP_OK)
		sp_fuzz_finding("evaluation returns %d", (int) status);
}

static void
evaluate(const SpImage *image)
{
	Runner		block;
	Runner		single;

	if (sp_row_cost(image) > MAX_COST || !open_runner(&block, image, N_ROWS))
		return;
	if (open_runner(&single, image, 1))
	{
		for (uint32_t row = 0; row < N_ROWS; row++)
			for (uint32_t feature = 0; feature < image->n_features; feature++)
				set_feature(&block, feature, row, number_at(row, feature));
		run(&block, N_ROWS, ALL_OUTPUTS, true);
		for (uint32_t row = 0; row < N_ROWS; row++)
		{
			uint32_t	wanted = row % 5 < SP_N_OUTPUTS ? UINT32_C(1) << row % 5 : ALL_OUTPUTS;
			bool		has_missing = false;

			for (uint32_t feature = 0; feature < image->n_features; feature++)
			{
				double		number = number_at(row, feature);

				set_feature(&single, feature, 0, number);
				has_missing |= isnan(number);
			}
			run(&single, 1, wanted, has_missing);
			compare_rows(&block, row, &single, wanted);
		}
		free(single.memory);
	}
	free(block.memory);
}

/* A flipped bit or a wrong size must show. */
static void
damage(SpImage *image)
{
	size_t		size = image->size;
	size_t		at = (size_t) (image->checksum % size);
	uint8_t    *bytes = (uint8_t *) image;
	uint8_t		bit = (uint8_t) (1 << (image->checksum >> 32) % 8);

	if (!sp_image_is_valid(image, size))
		sp_fuzz_finding("a fresh image is not valid");
	bytes[at] ^= bit;
	if (sp_image_is_valid(image, size))
		sp_fuzz_finding("an image is valid with byte %zu damaged", at);
	bytes[at] ^= bit;
	if (sp_image_is_valid(image, size - 1) || sp_image_is_valid(image, at) || !sp_image_is_valid(image, size))
		sp_fuzz_finding("an image is valid with the wrong size");
}

/* The model's stored form, and the model that this reads back as. */
static SpModel *
store(SpFuzz *fuzz, const SpModel *model)
{
	SpWriter	first;
	SpWriter	second;
	SpModel    *again;

	sp_writer_init(&first, &fuzz->cx);
	sp_writer_init(&second, &fuzz->cx);
	if (sp_model_write(&fuzz->cx, model, &first) != SP_OK)
		sp_fuzz_finding("a model cannot be stored: %s", fuzz->cx.error.message);
	if (sp_model_read(&fuzz->cx, first.data, first.size, &again) != SP_OK)
		sp_fuzz_finding("a stored model cannot be read: %s", fuzz->cx.error.message);
	if (sp_model_write(&fuzz->cx, again, &second) != SP_OK)
		sp_fuzz_finding("a model that was read cannot be stored: %s", fuzz->cx.error.message);
	if (first.size != second.size || memcmp(first.data, second.data, first.size) != 0)
		sp_fuzz_finding("the stored form changes on its way");
	return again;
}

static void
compare_images(const SpImage *a, const SpImage *b)
{
	/* behind the checksum, which differs with anything else */
	size_t		at = offsetof(SpImage, task);

	if (a->size != b->size)
		sp_fuzz_finding("the image of a stored model has %zu bytes, not %zu", (size_t) b->size, (size_t) a->size);
	while (at < a->size && ((const uint8_t *) a)[at] == ((const uint8_t *) b)[at])
		at++;
	if (at < a->size)
		sp_fuzz_finding("the image of a stored model differs at byte %zu", at);
}

/* The image finds every category of every feature at its place, and no others. */
static void
look_up(const SpModel *model, const SpImage *image)
{
	for (uint32_t at = 0; at < model->n_features; at++)
	{
		const SpCategories *list = &model->features[at].categories;
		const SpImageFeature *feature = &sp_image_features(image)[at];

		if (feature->kind != (uint8_t) list->kind || feature->n_categories != list->n)
			sp_fuzz_finding("feature %u has another list in the image", at);
		for (uint32_t place = 0; place < list->n; place++)
		{
			int64_t		found = list->kind == SP_CATEGORIES_TEXT ?
				sp_image_find_text(image, feature, list->texts[place], strlen(list->texts[place])) :
				sp_image_find_number(image, feature, list->numbers[place]);

			if (found != (int64_t) place)
				sp_fuzz_finding("category %u of feature %u is found at %lld", place, at, (long long) found);
		}
		if (list->kind == SP_CATEGORIES_TEXT && sp_image_find_text(image, feature, "\x01", 1) >= 0)
			sp_fuzz_finding("feature %u has a category that cannot be", at);
		if (list->kind != SP_CATEGORIES_NONE && sp_image_find_number(image, feature, NAN) >= 0)
			sp_fuzz_finding("a NaN is a category of feature %u", at);
	}
}

void
sp_fuzz_predict(SpFuzz *fuzz, const SpModel *model)
{
	SpModel    *again;
	SpImage    *image;
	SpImage    *image_again;

	/* storing and packing take memory of their own */
	fuzz->region.budget = fuzz->region.bytes + (UINT64_C(128) << 20);
	again = store(fuzz, model);
	if (!sp_fuzz_accepted(fuzz, sp_pack(&fuzz->cx, model, &image)))
		return;
	if (sp_pack(&fuzz->cx, again, &image_again) != SP_OK)
		sp_fuzz_finding("a model that was read cannot be packed: %s", fuzz->cx.error.message);
	compare_images(image, image_again);
	look_up(model, image);
	damage(image);
	evaluate(image);
}
