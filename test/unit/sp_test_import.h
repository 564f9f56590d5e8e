/*
 * test/unit/sp_test_import.h
 *
 * What every importer must survive: a valid small file cut off, with bits
 * turned, with random bytes, with memory running out, with a cancel.
 *
 * Every attempt works on an exact copy of the bytes, so that the address
 * sanitizer sees a read past their end.
 */
#ifndef SP_TEST_IMPORT_H
#define SP_TEST_IMPORT_H

#include "sp_test.h"

#include "base/sp_bytes.h"
#include "import/sp_import.h"
#include "ir/sp_checksum.h"

typedef struct SpTestImport
{
	SpContext	cx;
	SpTestRegion region;
	SpModel    *model;
	SpFormat	used;
	SpStatus	status;
} SpTestImport;

static long sp_test_polls_left;

static bool
sp_test_stop(void *arg)
{
	(void) arg;
	return --sp_test_polls_left < 0;
}

/* Import; release with sp_test_import_end. */
__attribute__((unused)) static SpStatus
sp_test_attempt(SpTestImport *import, SpFormat format, const void *bytes, size_t size)
{
	void	   *copy = malloc(size > 0 ? size : 1);

	memcpy(copy, bytes, size);
	sp_test_context(&import->cx, &import->region);
	import->model = NULL;
	import->status = sp_import(&import->cx, format, copy, size, NULL, &import->used, &import->model);
	free(copy);
	return import->status;
}

/* A file for the fuzz targets, named by its content. */
__attribute__((unused)) static void
sp_test_save(const char *folder, const char *target, const void *bytes, size_t size)
{
	char		path[1024];
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s/%016llx", folder, target, (unsigned long long) sp_checksum(bytes, size));
	file = fopen(path, "wb");
	if (file)
	{
		fwrite(bytes, 1, size, file);
		fclose(file);
	}
}

/*
 * As sp_test_attempt, for a file that is no damaged copy of another: with
 * SP_TEST_SEEDS set, the file and its stored form go into folders there, one
 * for each fuzz target.
 */
__attribute__((unused)) static SpStatus
sp_test_import(SpTestImport *import, SpFormat format, const void *bytes, size_t size)
{
	const char *folder = getenv("SP_TEST_SEEDS");
	SpWriter	stored;

	sp_test_attempt(import, format, bytes, size);
	if (folder == NULL || import->used == SP_FORMAT_UNKNOWN)
		return import->status;
	sp_test_save(folder, sp_format_name(import->used), bytes, size);
	sp_writer_init(&stored, &import->cx);
	if (import->status == SP_OK && sp_model_write(&import->cx, import->model, &stored) == SP_OK)
		sp_test_save(folder, "stored", stored.data, stored.size);
	return import->status;
}

__attribute__((unused)) static void
sp_test_import_end(SpTestImport *import)
{
	sp_test_release_all(&import->region);
}

/* An error that can be shown to a user: the right kinds, a text, an offset in the file. */
__attribute__((unused)) static bool
sp_test_is_clear(const SpTestImport *import, size_t size)
{
	const SpError *error = &import->cx.error;
	size_t		length = strlen(error->message);

	if (import->status == SP_OK)
		return import->model != NULL;
	return (import->status == SP_ERR_FORMAT || import->status == SP_ERR_UNSUPPORTED ||
			import->status == SP_ERR_LIMIT) &&
		error->status == import->status && length > 0 && error->message[length - 1] != '.' &&
		(error->offset == SP_NO_OFFSET || error->offset <= size);
}

__attribute__((unused)) static void
sp_test_complain(const SpTestImport *import, const char *what, size_t where)
{
	printf("# %s %zu: status %d, message \"%s\", offset %lld\n", what, where, import->status,
		   import->cx.error.message, (long long) import->cx.error.offset);
}

/* All prefixes of the file. */
__attribute__((unused)) static void
sp_test_truncations(const char *name, SpFormat format, const void *bytes, size_t size, bool may_succeed)
{
	SpTestImport import;
	size_t		length;
	size_t		n_bad = 0;

	for (length = 0; length < size; length++)
	{
		sp_test_attempt(&import, format, bytes, length);
		if (!sp_test_is_clear(&import, length) || (import.status == SP_OK && !may_succeed))
		{
			if (n_bad++ == 0)
				sp_test_complain(&import, "cut off at", length);
		}
		sp_test_import_end(&import);
	}
	ok(n_bad == 0, "%s: cut off after each of %zu bytes", name, size);
}

__attribute__((unused)) static void
sp_test_bit_flips(const char *name, SpFormat format, const void *bytes, size_t size)
{
	SpTestImport import;
	uint8_t    *changed = malloc(size);
	size_t		bit;
	size_t		n_bad = 0;
	size_t		n_accepted = 0;

	memcpy(changed, bytes, size);
	for (bit = 0; bit < size * 8; bit++)
	{
		changed[bit / 8] ^= (uint8_t) (1 << bit % 8);
		sp_test_attempt(&import, format, changed, size);
		n_accepted += import.status == SP_OK;
		if (!sp_test_is_clear(&import, size) && n_bad++ == 0)
			sp_test_complain(&import, "bit", bit);
		sp_test_import_end(&import);
		changed[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	free(changed);
	ok(n_bad == 0, "%s: each of %zu bits turned, accepted %zu times", name, size * 8, n_accepted);
}

/* Random bytes in a valid file: some at random places, or all after a place. */
__attribute__((unused)) static void
sp_test_random(const char *name, SpFormat format, const void *bytes, size_t size)
{
	SpTestImport import;
	uint8_t    *changed = malloc(size);
	uint64_t	state = 88172645463325252u;
	size_t		n_bad = 0;
	int			round;

	for (round = 0; round < 3000; round++)
	{
		int			n_changes = round % 7 + 1;
		size_t		from = round % 3 == 0 ? (size_t) round % size : size;
		size_t		i;

		memcpy(changed, bytes, size);
		for (i = 0; i < size + (size_t) n_changes; i++)
		{
			state ^= state << 13;
			state ^= state >> 7;
			state ^= state << 17;
			if (i >= size)
				changed[(state >> 8) % size] = (uint8_t) state;
			else if (i >= from)
				changed[i] = (uint8_t) state;
		}
		sp_test_attempt(&import, format, changed, size);
		if (!sp_test_is_clear(&import, size) && n_bad++ == 0)
			sp_test_complain(&import, "random round", (size_t) round);
		sp_test_import_end(&import);
	}
	free(changed);
	ok(n_bad == 0, "%s: random bytes", name);
}

/* Memory that runs out at the n-th request, for every n until the import succeeds. */
__attribute__((unused)) static void
sp_test_short_memory(const char *name, SpFormat format, const void *bytes, size_t size)
{
	SpTestImport import;
	long		n = 0;
	bool		good = true;

	do
	{
		sp_test_context(&import.cx, &import.region);
		import.region.fail_at = ++n;
		import.model = NULL;
		import.status = sp_import(&import.cx, format, bytes, size, NULL, &import.used, &import.model);
		good = good && (import.status == SP_OK || import.status == SP_ERR_MEMORY);
		if (!good)
			sp_test_complain(&import, "request", (size_t) n);
		sp_test_release_all(&import.region);
		good = good && import.region.bytes == 0;
	} while (good && import.status != SP_OK && n < 100000);
	ok(good && import.status == SP_OK && n > 3, "%s: memory short at each of %ld requests", name, n - 1);
}

/* A cancel at the n-th question, for every n until the import succeeds. */
__attribute__((unused)) static void
sp_test_cancels(const char *name, SpFormat format, const void *bytes, size_t size)
{
	SpTestImport import;
	long		n = 0;
	bool		good = true;

	do
	{
		sp_test_context(&import.cx, &import.region);
		import.cx.stop = sp_test_stop;
		sp_test_polls_left = n++;
		import.status = sp_import(&import.cx, format, bytes, size, NULL, &import.used, &import.model);
		good = import.status == SP_OK || import.status == SP_ERR_CANCELLED;
		sp_test_release_all(&import.region);
	} while (good && import.status != SP_OK && n < 100000);
	ok(good && n > 1, "%s: canceled at each of %ld questions", name, n - 1);
}

__attribute__((unused)) static void
sp_test_hostile(const char *name, SpFormat format, const void *bytes, size_t size, bool may_be_cut)
{
	sp_test_truncations(name, format, bytes, size, may_be_cut);
	sp_test_bit_flips(name, format, bytes, size);
	sp_test_random(name, format, bytes, size);
	sp_test_short_memory(name, format, bytes, size);
	sp_test_cancels(name, format, bytes, size);
}

/* The import fails with that status and text. */
__attribute__((unused, format(printf, 6, 7))) static void
sp_test_refused(SpFormat format, const void *bytes, size_t size, SpStatus status, const char *text,
				const char *fmt,...)
{
	SpTestImport import;
	char		name[200];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(name, sizeof(name), fmt, args);
	va_end(args);
	sp_test_import(&import, format, bytes, size);
	fails_with(&import.cx, import.status, status, text, "%s", name);
	if (import.status != SP_OK && !sp_test_is_clear(&import, size))
		ok(false, "%s: the error is not clear", name);
	sp_test_import_end(&import);
}

/* A whole file, or NULL. */
__attribute__((unused)) static uint8_t *
sp_test_read_file(const char *folder, const char *file, size_t *size)
{
	char		path[1000];
	FILE	   *stream;
	uint8_t    *bytes = NULL;
	long		length;

	snprintf(path, sizeof(path), "%s/%s", folder, file);
	stream = fopen(path, "rb");
	if (stream == NULL)
		return NULL;
	if (fseek(stream, 0, SEEK_END) == 0 && (length = ftell(stream)) >= 0)
	{
		rewind(stream);
		bytes = malloc((size_t) length + 1);
		*size = fread(bytes, 1, (size_t) length, stream);
	}
	fclose(stream);
	return bytes;
}

/* The fixture folder: first argument, or the variable SP_TEST_DATA, or the usual place. */
__attribute__((unused)) static const char *
sp_test_data(int argc, char **argv)
{
	const char *folder = argc > 1 ? argv[1] : getenv("SP_TEST_DATA");

	return folder ? folder : "test/data";
}

/* Import a fixture in whole, and with its bytes cut and changed here and there. */
__attribute__((unused)) static void
sp_test_fixture(const char *data, const char *name, const char *file, SpFormat format, const char *producer)
{
	SpTestImport import;
	char		folder[900];
	size_t		size = 0;
	uint8_t    *bytes;
	size_t		step;
	size_t		n_bad = 0;

	snprintf(folder, sizeof(folder), "%s/%s", data, name);
	bytes = sp_test_read_file(folder, file, &size);
	if (bytes == NULL)
	{
		printf("# %s/%s is not there\n", folder, file);
		return;
	}
	sp_test_import(&import, SP_FORMAT_UNKNOWN, bytes, size);
	ok(import.status == SP_OK && import.used == format &&
	   strncmp(import.model->producer, producer, strlen(producer)) == 0,
	   "%s: imported%s%s", name, import.status == SP_OK ? "" : ", but ",
	   import.status == SP_OK ? "" : import.cx.error.message);
	sp_test_import_end(&import);
	for (step = 1; step < 200; step++)
	{
		size_t		place = size / 200 * step;

		sp_test_attempt(&import, format, bytes, place);
		n_bad += !sp_test_is_clear(&import, place);
		sp_test_import_end(&import);
		bytes[place] ^= (uint8_t) (1 << step % 8);
		sp_test_attempt(&import, format, bytes, size);
		n_bad += !sp_test_is_clear(&import, size);
		sp_test_import_end(&import);
		bytes[place] ^= (uint8_t) (1 << step % 8);
	}
	ok(n_bad == 0, "%s: cut and changed in 200 places", name);
	free(bytes);
}

#endif
