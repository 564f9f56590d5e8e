/*
 * bench/bench_kernel.c
 *
 * Times the kernels on a model file, without a server: imports and packs the
 * file, compares one of its outputs with a reference, then times blocks of several
 * sizes over the rows.
 *
 * usage: bench_kernel [--rounds N] [--json] [--simd LEVEL] [--block N] [--output NAME] MODEL ROWS.f32 EXPECTED.f32
 *
 * ROWS holds float32 rows side by side, EXPECTED the numbers of the output for
 * each row, or the first of them.  The output is raw, probabilities or value, by
 * default the first of these that the model has.  Without LEVEL (portable, avx2 or
 * avx512) all that the processor has take their turn.  Each round runs over as
 * many rows as take about a twentieth of a second; the median, smallest and largest of
 * the rounds are printed in microseconds a row.
 * The last line of a level is for single rows whose model is not in the first
 * two caches: median, 10th and 90th percentile of the calls.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "import/sp_import.h"
#include "ir/sp_pack.h"
#include "kernel/sp_eval.h"

#define USAGE "bench_kernel [--rounds N] [--json] [--simd LEVEL] [--block N] [--output NAME] " \
	"MODEL ROWS.f32 EXPECTED.f32"
#define MIN_ROUNDS 7
#define ROUND_SECONDS 0.05
#define TOLERANCE 2e-5			/* long float32 sums */
#define EVICT_BYTES (16 * 1024 * 1024)
#define EVICTED_CALLS 401

static void
die(const char *what, const char *why)
{
	fprintf(stderr, "bench_kernel: %s: %s\n", what, why);
	exit(1);
}

/* Of this process: others may run on its core, too. */
static double
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double) now.tv_sec + (double) now.tv_nsec * 1e-9;
}

static void *
read_file(const char *path, size_t *size)
{
	FILE	   *file = fopen(path, "rb");
	long		length = -1;
	void	   *bytes;

	if (file != NULL && fseek(file, 0, SEEK_END) == 0)
		length = ftell(file);
	if (length < 0)
		die(path, "cannot be read");
	rewind(file);
	bytes = malloc((size_t) length + 1);
	if (bytes == NULL || fread(bytes, 1, (size_t) length, file) != (size_t) length)
		die(path, "cannot be read");
	fclose(file);
	*size = (size_t) length;
	return bytes;
}

/* A program that ends soon needs no region. */
static void *
bench_alloc(void *arg, size_t size)
{
	(void) arg;
	return malloc(size);
}

static void *
bench_resize(void *arg, void *old, size_t size)
{
	(void) arg;
	return realloc(old, size);
}

static void
bench_release(void *arg, void *pointer)
{
	(void) arg;
	free(pointer);
}

typedef struct Bench
{
	SpContext	cx;
	SpSimd		simd;
	SpImage    *image;
	SpOutput	output;
	const float *rows;
	const float *expected;
	uint32_t	n_rows;
	uint32_t	width;
	uint32_t	n_expected;		/* for each row */
	bool		has_missing;
} Bench;

static void
check(Bench *bench, SpStatus status, const char *what)
{
	if (status != SP_OK)
		die(what, bench->cx.error.message);
}

/* By its name, or if that is NULL the first that the model has. */
static SpOutput
find_output(const SpModel *model, const char *name)
{
	static const char *const names[SP_N_OUTPUTS] = {
		[SP_OUTPUT_RAW] = "raw", [SP_OUTPUT_PROBABILITIES] = "probabilities", [SP_OUTPUT_VALUE] = "value"
	};

	for (int output = SP_N_OUTPUTS - 1; output >= 0; output--)
		if (names[output] != NULL && model->outputs[output] != SP_NO_VALUE &&
			(name == NULL || strcmp(name, names[output]) == 0))
			return (SpOutput) output;
	die("output", "the model does not have it");
	return SP_OUTPUT_VALUE;
}

static void
load(Bench *bench, const char *output, const char *model_path, const char *rows_path, const char *expected_path)
{
	SpContext  *cx = &bench->cx;
	SpFormat	format;
	SpModel    *model;
	size_t		size;
	size_t		n_expected;
	void	   *bytes = read_file(model_path, &size);
	double		begin = seconds();
	double		imported;

	cx->alloc = (SpAllocator) {bench_alloc, bench_resize, bench_release, NULL};
	sp_limits_default(&cx->limits);
	check(bench, sp_import(cx, SP_FORMAT_UNKNOWN, bytes, size, NULL, &format, &model), model_path);
	imported = seconds();
	check(bench, sp_pack(cx, model, &bench->image), model_path);
	fprintf(stderr, "%s: %llu trees, %llu nodes, image %.2f MB; import %.1f ms, pack %.1f ms\n",
			model_path, (unsigned long long) model->n_trees, (unsigned long long) model->n_nodes,
			(double) bench->image->size / 1e6, (imported - begin) * 1e3, (seconds() - imported) * 1e3);
	free(bytes);
	bench->output = find_output(model, output);
	bench->width = model->n_features;
	bench->rows = read_file(rows_path, &size);
	bench->expected = read_file(expected_path, &n_expected);
	n_expected /= sizeof(float);
	bench->n_rows = (uint32_t) (size / sizeof(float) / bench->width);
	if (bench->n_rows == 0 || n_expected == 0 || n_expected % bench->n_rows != 0)
		die(expected_path, "does not have as many numbers for each row");
	bench->n_expected = (uint32_t) (n_expected / bench->n_rows);
	if (bench->n_expected > model->values[model->outputs[bench->output]].width)
		die(expected_path, "has more numbers for each row than the model's output");
	for (size_t at = 0; at < (size_t) bench->n_rows * bench->width; at++)
		bench->has_missing = bench->has_missing || isnan(bench->rows[at]);
}

static SpEval *
open_eval(Bench *bench, uint32_t capacity, void **memory)
{
	SpEval	   *eval;

	*memory = aligned_alloc(64, sp_eval_size(bench->image, capacity));
	if (*memory == NULL)
		die("memory", "not enough");
	eval = sp_eval_init(*memory, bench->image, capacity, NULL, NULL);
	sp_eval_use(eval, bench->simd);
	return eval;
}

/* Predict n rows from row first on. */
static void
predict(Bench *bench, SpEval *eval, uint32_t first, uint32_t n)
{
	memcpy(sp_eval_input(eval, 0), bench->rows + (size_t) first * bench->width,
		   (size_t) n * bench->width * sizeof(float));
	if (sp_eval_run(eval, n, 1U << bench->output, bench->has_missing) != SP_OK)
		die("evaluation", "stopped");
}

static double
largest_difference(Bench *bench, uint32_t capacity)
{
	void	   *memory;
	SpEval	   *eval = open_eval(bench, capacity, &memory);
	double		largest = 0;

	for (uint32_t first = 0; first < bench->n_rows; first += capacity)
	{
		uint32_t	n = bench->n_rows - first < capacity ? bench->n_rows - first : capacity;

		predict(bench, eval, first, n);
		for (uint32_t at = 0; at < n * bench->n_expected; at++)
		{
			double		expected = bench->expected[first * bench->n_expected + at];
			double		got = sp_eval_output_number(eval, bench->output, at / bench->n_expected, at % bench->n_expected);

			/* NaN is a difference, too */
			if (!(fabs(got - expected) / fmax(1, fabs(expected)) <= largest))
				largest = fabs(got - expected) / fmax(1, fabs(expected));
		}
	}
	free(memory);
	return largest;
}

/* Seconds for one pass over n rows, in blocks; the first row moves on with every call. */
static double
pass(Bench *bench, SpEval *eval, uint32_t block, uint32_t n, uint32_t *next)
{
	double		begin = seconds();

	for (uint32_t done = 0; done < n; done += block)
	{
		if (*next + block > bench->n_rows)
			*next = 0;
		predict(bench, eval, *next, block);
		*next += block;
	}
	return seconds() - begin;
}

static int
compare(const void *a, const void *b)
{
	double		left = *(const double *) a;
	double		right = *(const double *) b;

	return (left > right) - (left < right);
}

static void
report(const char *way, SpSimd simd, uint32_t block, double median, double least, double most, bool json)
{
	const char *level = sp_simd_name(simd);

	if (json)
		printf("{\"way\": \"%s %s\", \"block\": %u, \"median\": %.4f, \"min\": %.4f, \"max\": %.4f}\n",
			   way, level, block, median, least, most);
	else
		printf("%-8s %-8s block %4u   us/row  median %7.3f   min %7.3f   max %7.3f\n",
			   way, level, block, median, least, most);
}

static void
time_block(Bench *bench, uint32_t block, int rounds, bool json)
{
	void	   *memory;
	SpEval	   *eval = open_eval(bench, block, &memory);
	double	   *times = malloc(sizeof(double) * (size_t) rounds);
	uint32_t	next = 0;
	uint32_t	n = block;

	while (pass(bench, eval, block, n, &next) < ROUND_SECONDS && n < 1U << 28)
		n *= 2;
	for (int round = 0; round < rounds; round++)
		times[round] = pass(bench, eval, block, n, &next) / n * 1e6;
	qsort(times, (size_t) rounds, sizeof(double), compare);
	report("kernel", bench->simd, block, times[rounds / 2], times[0], times[rounds - 1], json);
	free(times);
	free(memory);
}

/*
 * One row at a time after other work has taken the first and second cache, as
 * between two statements of a busy server.  Every call is timed by itself.
 */
static void
time_evicted(Bench *bench, bool json)
{
	void	   *memory;
	SpEval	   *eval = open_eval(bench, 1, &memory);
	volatile char *other = calloc(EVICT_BYTES, 1);
	double		times[EVICTED_CALLS];

	if (other == NULL)
		die("memory", "not enough");
	for (uint32_t call = 0; call < EVICTED_CALLS; call++)
	{
		double		begin;

		for (size_t at = 0; at < EVICT_BYTES; at += 64)
			other[at]++;
		begin = seconds();
		predict(bench, eval, call * 131 % bench->n_rows, 1);
		times[call] = (seconds() - begin) * 1e6;
	}
	qsort(times, EVICTED_CALLS, sizeof(double), compare);
	report("evicted", bench->simd, 1, times[EVICTED_CALLS / 2], times[EVICTED_CALLS / 10],
		   times[EVICTED_CALLS - 1 - EVICTED_CALLS / 10], json);
	free((void *) other);
	free(memory);
}

/* By its name; only what this processor has. */
static SpSimd
find_simd(const char *name)
{
	for (SpSimd simd = SP_SIMD_PORTABLE; simd <= sp_simd_best(); simd++)
		if (strcmp(name, sp_simd_name(simd)) == 0)
			return simd;
	die(name, "not a level of this processor");
	return SP_SIMD_PORTABLE;
}

/* One level of instructions; only is the size of the only block, or 0. */
static void
time_level(Bench *bench, SpSimd simd, uint32_t only, int rounds, bool json)
{
	static const uint32_t blocks[] = {1, 16, 128, 512};
	double		difference;

	bench->simd = simd;
	difference = largest_difference(bench, 1);
	if (difference <= TOLERANCE)
		difference = largest_difference(bench, 128);
	fprintf(stderr, "%s: largest relative difference from the reference: %.2g\n", sp_simd_name(simd), difference);
	if (!(difference <= TOLERANCE))
		die(sp_simd_name(simd), "differs from the reference");
	for (size_t at = 0; at < sizeof(blocks) / sizeof(blocks[0]); at++)
		if (only == 0 || only == blocks[at])
			time_block(bench, blocks[at], rounds, json);
	if (only == 0)
		time_evicted(bench, json);
}

int
main(int argc, char **argv)
{
	static Bench bench;
	int			rounds = MIN_ROUNDS;
	bool		json = false;
	uint32_t	only = 0;
	const char *output = NULL;
	SpSimd		lowest = SP_SIMD_PORTABLE;
	SpSimd		highest = sp_simd_best();
	int			at = 1;

	for (; at < argc && argv[at][0] == '-'; at++)
	{
		if (strcmp(argv[at], "--json") == 0)
			json = true;
		else if (strcmp(argv[at], "--rounds") == 0 && at + 1 < argc)
			rounds = atoi(argv[++at]);
		else if (strcmp(argv[at], "--block") == 0 && at + 1 < argc)
			only = (uint32_t) atoi(argv[++at]);
		else if (strcmp(argv[at], "--output") == 0 && at + 1 < argc)
			output = argv[++at];
		else if (strcmp(argv[at], "--simd") == 0 && at + 1 < argc)
			lowest = highest = find_simd(argv[++at]);
		else
			die("usage", USAGE);
	}
	if (argc - at != 3 || rounds < 1)
		die("usage", USAGE);
	load(&bench, output, argv[at], argv[at + 1], argv[at + 2]);
	for (SpSimd simd = lowest; simd <= highest; simd++)
		time_level(&bench, simd, only, rounds, json);
	return 0;
}
