/*
 * src/kernel/sp_eval.h
 *
 * Running a packed image over a block of rows.
 *
 * An evaluator is a scratch area for one image and at most capacity rows.
 * The caller writes features into the input buffers, runs, and reads the
 * output buffers; all buffers are row-major (row r, column c at r * width + c)
 * in the value's type, aligned to 64 bytes, and keep their place over runs.
 * An evaluator is used by one thread at a time; the image is shared, read only.
 */
#ifndef SP_EVAL_H
#define SP_EVAL_H

#include "base/sp_simd.h"
#include "ir/sp_image.h"

typedef struct SpEval SpEval;

/* polled about every millisecond of work; true stops the run */
typedef bool (*SpStop) (void *arg);

/* Bytes that sp_eval_init needs; 0 if the sum overflows. */
extern size_t sp_eval_size(const SpImage *image, uint32_t capacity);

/* memory: sp_eval_size bytes, aligned to 64, kept by the caller as long as the evaluator; stop may be NULL. */
extern SpEval *sp_eval_init(void *memory, const SpImage *image, uint32_t capacity,
							SpStop stop, void *stop_arg);

/*
 * The instructions that runs use from now on, at most sp_simd_best(); portable
 * until then.  Trees give the same bits with all of them.
 */
extern void sp_eval_use(SpEval *eval, SpSimd simd);

/* The buffer of an input: capacity * width elements. A missing feature is NaN. */
extern void *sp_eval_input(SpEval *eval, uint32_t input);

/*
 * Evaluate rows 0 .. rows-1 (rows <= capacity) for the outputs in wanted, a
 * mask of 1 << SpOutput.  may_have_missing false promises that no input is NaN;
 * a promise that is not kept gives wrong numbers, but does no other harm.
 * SP_OK or SP_ERR_CANCELLED.
 */
extern SpStatus sp_eval_run(SpEval *eval, uint32_t rows, uint32_t wanted, bool may_have_missing);

/* The buffer of an output that the last run was asked for; NULL if the model has none. */
extern const void *sp_eval_output(const SpEval *eval, SpOutput output, SpType *type, uint32_t *width);

/* One element of an output as double (F32 and I64 converted). */
extern double sp_eval_output_number(const SpEval *eval, SpOutput output, uint32_t row, uint32_t column);

#endif
