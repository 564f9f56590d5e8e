/*
 * bench/bench_import.c
 *
 * Time and memory of importing a file as the server does it: read, stored,
 * packed, all in one region.  Memory is what the allocator was asked for at
 * once, without the file itself.
 *
 * usage: bench_import FILE...
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/sp_bytes.h"
#include "import/sp_import.h"
#include "ir/sp_pack.h"
#include "sp_test.h"

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double) time.tv_sec + (double) time.tv_nsec / 1e9;
}

static uint8_t *
read_file(const char *path, size_t *size)
{
	FILE	   *file = fopen(path, "rb");
	uint8_t    *bytes;

	if (file == NULL || fseek(file, 0, SEEK_END) != 0)
		return NULL;
	*size = (size_t) ftell(file);
	rewind(file);
	bytes = malloc(*size + 1);
	*size = fread(bytes, 1, *size, file);
	fclose(file);
	return bytes;
}

static int
measure(const char *path)
{
	SpContext	cx;
	SpTestRegion region;
	SpFormat	format = SP_FORMAT_UNKNOWN;
	SpModel    *model;
	SpImage    *image;
	SpWriter	writer;
	size_t		size = 0;
	uint8_t    *bytes = read_file(path, &size);
	double		began = now();
	double		read;

	if (bytes == NULL)
	{
		fprintf(stderr, "%s cannot be read\n", path);
		return 1;
	}
	sp_test_context(&cx, &region);
	if (sp_import(&cx, SP_FORMAT_UNKNOWN, bytes, size, NULL, &format, &model) != SP_OK)
	{
		fprintf(stderr, "%s: %s\n", path, cx.error.message);
		return 1;
	}
	read = now() - began;
	sp_writer_init(&writer, &cx);
	if (sp_model_write(&cx, model, &writer) != SP_OK || sp_pack(&cx, model, &image) != SP_OK)
	{
		fprintf(stderr, "%s: %s\n", path, cx.error.message);
		return 1;
	}
	printf("%-14s %8.1f %10llu %9.2f %9.2f %10.1f %9.1f\n", sp_format_name(format), (double) size / 1e6,
		   (unsigned long long) model->n_nodes, read, now() - began, (double) region.peak / 1e6,
		   (double) region.peak / (double) size);
	sp_test_release_all(&region);
	free(bytes);
	return 0;
}

int
main(int argc, char **argv)
{
	int			status = 0;

	printf("%-14s %8s %10s %9s %9s %10s %9s\n", "format", "file MB", "nodes", "import s", "all s", "memory MB", "multiple");
	for (int at = 1; at < argc; at++)
		status |= measure(argv[at]);
	return status;
}
