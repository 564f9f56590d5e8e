/*
 * test/fuzz/sp_fuzz.c
 */
#include <stdarg.h>

#include "ir/sp_checksum.h"
#include "sp_fuzz.h"

void
sp_fuzz_finding(const char *fmt,...)
{
	va_list		args;

	fprintf(stderr, "FINDING: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

void
sp_fuzz_begin(SpFuzz *fuzz, size_t size)
{
	SpLimits   *limits = &fuzz->cx.limits;

	sp_test_context(&fuzz->cx, &fuzz->region);
	fuzz->region.budget = SP_FUZZ_MEMORY + SP_FUZZ_MULTIPLE * size;
	fuzz->size = size;
	limits->max_nodes = 50000;
	limits->max_features = 5000;
	limits->max_labels = 1000;
	limits->max_elements = 50000;
	limits->max_image = UINT64_C(16) << 20;
}

void
sp_fuzz_end(SpFuzz *fuzz)
{
	sp_test_release_all(&fuzz->region);
}

bool
sp_fuzz_accepted(SpFuzz *fuzz, SpStatus status)
{
	const SpError *error = &fuzz->cx.error;
	size_t		length = strlen(error->message);

	if (status == SP_OK)
		return true;
	if (status != SP_ERR_FORMAT && status != SP_ERR_UNSUPPORTED && status != SP_ERR_LIMIT && status != SP_ERR_VALUE)
		sp_fuzz_finding("status %d: %s (%zu bytes of memory at most, for a file of %zu)", (int) status, error->message,
						fuzz->region.peak, fuzz->size);
	if (error->status != status || length == 0 || error->message[length - 1] == '.')
		sp_fuzz_finding("no message for status %d, or a bad one: \"%s\" of status %d", (int) status, error->message,
						(int) error->status);
	if (!sp_str_is_text((SpStr) {error->message, length}) ||
		!sp_str_is_text((SpStr) {error->detail, strlen(error->detail)}) ||
		!sp_str_is_text((SpStr) {error->hint, strlen(error->hint)}))
		sp_fuzz_finding("a message is not text: %s / %s / %s", error->message, error->detail, error->hint);
	if (error->offset != SP_NO_OFFSET && error->offset > fuzz->size)
		sp_fuzz_finding("offset %llu of a file of %zu bytes: %s", (unsigned long long) error->offset, fuzz->size,
						error->message);
	return false;
}

SpModel *
sp_fuzz_import(SpFuzz *fuzz, SpFormat format, const uint8_t *bytes, size_t size)
{
	static const SpStr names[] = {{"a", 1}, {"b", 1}, {"c", 1}, {"d", 1}};
	uint64_t	choice = sp_checksum(bytes, size);
	SpOverrides overrides = {0};
	SpFormat	used;
	SpModel    *model;
	SpStatus	status;

	if (choice % 8 == 0)
	{
		overrides.n_iterations = (uint32_t) (choice >> 8) % 4;
		overrides.best_iteration = overrides.n_iterations == 0;
	}
	else if (choice % 8 == 1)
	{
		overrides.feature_names = names;
		overrides.n_feature_names = 4;
	}
	status = sp_import(&fuzz->cx, format, bytes, size, &overrides, &used, &model);
	if (!sp_fuzz_accepted(fuzz, status))
		return NULL;
	if (model == NULL)
		sp_fuzz_finding("accepted, but there is no model");
	return model;
}
