/*
 * test/unit/sp_test_run.h
 *
 * Running an imported model on a few rows.
 */
#ifndef SP_TEST_RUN_H
#define SP_TEST_RUN_H

#include "sp_test_import.h"

#include "ir/sp_pack.h"
#include "kernel/sp_eval.h"

/*
 * rows: n_rows times the model's features; integers and numbers of categories
 * are cut off.  answers gets width columns of the output for each row.
 */
__attribute__((unused)) static bool
sp_test_run(SpTestImport *import, const double *rows, uint32_t n_rows, SpOutput output, uint32_t width, double *answers)
{
	SpImage    *image;
	SpEval	   *eval;
	void	   *memory;
	size_t		size;

	if (sp_pack(&import->cx, import->model, &image) != SP_OK)
		return false;
	size = sp_eval_size(image, n_rows);
	memory = aligned_alloc(64, (size + 63) / 64 * 64);
	memset(memory, 0xff, size);
	eval = sp_eval_init(memory, image, n_rows, NULL, NULL);
	for (uint32_t at = 0; at < image->n_features; at++)
	{
		const SpImageFeature *feature = &sp_image_features(image)[at];
		size_t		columns = sp_image_values(image)[feature->input].width;
		void	   *input = sp_eval_input(eval, feature->input);

		for (uint32_t row = 0; row < n_rows; row++)
		{
			double		x = rows[(size_t) row * image->n_features + at];
			size_t		to = row * columns + feature->column;

			if (feature->type == SP_TYPE_F32)
				((float *) input)[to] = (float) x;
			else if (feature->type == SP_TYPE_F64)
				((double *) input)[to] = x;
			else
				((int64_t *) input)[to] = (int64_t) x;
		}
	}
	sp_eval_run(eval, n_rows, 15, true);
	for (uint32_t row = 0; row < n_rows; row++)
		for (uint32_t column = 0; column < width; column++)
			*answers++ = sp_eval_output_number(eval, output, row, column);
	free(memory);
	return true;
}

#endif
