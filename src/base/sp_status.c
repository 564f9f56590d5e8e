/*
 * src/base/sp_status.c
 *
 * The error record, allocation through the caller's allocator, and strings.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/sp_status.h"
#include "base/sp_utf8.h"

#define SP_PRINTABLE_BYTES 60

void
sp_limits_default(SpLimits *limits)
{
	limits->max_nodes = 50 * 1000 * 1000;
	limits->max_tree_depth = 1000;
	limits->max_features = 65536;
	limits->max_labels = 65536;
	limits->max_elements = 250 * 1000 * 1000;
	limits->max_string = 1024;
	limits->max_nesting = 64;
	limits->max_image = UINT64_C(2) << 30;
}

void
sp_limits_none(SpLimits *limits)
{
	sp_limits_default(limits);
	limits->max_nodes = UINT64_MAX;
	limits->max_tree_depth = UINT32_MAX;
	limits->max_features = SP_FEATURES_CAP;
	limits->max_labels = UINT32_MAX;
	limits->max_elements = UINT64_MAX;
	limits->max_string = UINT32_MAX;
	limits->max_image = UINT64_MAX;
}

/*
 * Format into a field of the error record.  A cut must not leave half a
 * character behind: the text goes to clients that check its encoding.
 */
__attribute__((format(printf, 3, 0))) static void
sp_format_field(char *field, size_t size, const char *fmt, va_list args)
{
	int			length = vsnprintf(field, size, fmt, args);
	size_t		pos = 0;

	if (length < 0)
	{
		field[0] = '\0';
		return;
	}
	if ((size_t) length < size)
		return;
	while (field[pos] != '\0')
	{
		size_t		step = sp_utf8_length((const uint8_t *) field + pos, size - 1 - pos);

		if (step == 0)
		{
			field[pos] = '\0';
			break;
		}
		pos += step;
	}
}

SpStatus
sp_fail(SpContext *cx, SpStatus status, const char *fmt,...)
{
	va_list		args;

	cx->error.status = status;
	cx->error.offset = status == SP_ERR_FORMAT ? cx->position : SP_NO_OFFSET;
	cx->error.detail[0] = '\0';
	cx->error.hint[0] = '\0';
	va_start(args, fmt);
	sp_format_field(cx->error.message, sizeof(cx->error.message), fmt, args);
	va_end(args);
	return status;
}

SpStatus
sp_over_limit(SpContext *cx, const char *setting, SpStatus status)
{
	sp_fail_hint(cx, "An administrator can raise smartpouch.%s.", setting);
	return status;
}

SpStatus
sp_fail_limit(SpContext *cx, const char *setting, const char *fmt,...)
{
	va_list		args;

	sp_fail(cx, SP_ERR_LIMIT, "%s", "");
	va_start(args, fmt);
	sp_format_field(cx->error.message, sizeof(cx->error.message), fmt, args);
	va_end(args);
	return sp_over_limit(cx, setting, SP_ERR_LIMIT);
}

SpStatus
sp_fail_at(SpContext *cx, uint64_t offset, const char *fmt,...)
{
	va_list		args;

	cx->error.status = SP_ERR_FORMAT;
	cx->error.offset = offset;
	cx->error.detail[0] = '\0';
	cx->error.hint[0] = '\0';
	va_start(args, fmt);
	sp_format_field(cx->error.message, sizeof(cx->error.message), fmt, args);
	va_end(args);
	return SP_ERR_FORMAT;
}

SpStatus
sp_fail_detail(SpContext *cx, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	sp_format_field(cx->error.detail, sizeof(cx->error.detail), fmt, args);
	va_end(args);
	return cx->error.status;
}

SpStatus
sp_fail_hint(SpContext *cx, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	sp_format_field(cx->error.hint, sizeof(cx->error.hint), fmt, args);
	va_end(args);
	return cx->error.status;
}

/*
 * Callers hand in the address of a typed pointer as void **.  Copying the
 * pointer's bytes, instead of storing through void **, keeps that legal under
 * strict aliasing.
 */
static void
sp_store_pointer(void **where, void *pointer)
{
	memcpy(where, &pointer, sizeof(pointer));
}

SpStatus
sp_alloc_array(SpContext *cx, size_t count, size_t size, void **result)
{
	size_t		bytes;
	void	   *memory = NULL;

	if (sp_mul_size(count, size, &bytes))
		memory = cx->alloc.alloc(cx->alloc.arg, bytes > 0 ? bytes : 1);
	sp_store_pointer(result, memory);
	if (memory == NULL)
		return sp_fail(cx, SP_ERR_MEMORY, "out of memory");
	memset(memory, 0, bytes);
	return SP_OK;
}

SpStatus
sp_grow_array(SpContext *cx, void **array, size_t *capacity, size_t need, size_t size)
{
	size_t		wanted;
	size_t		bytes;
	void	   *memory = NULL;
	void	   *old;

	if (need <= *capacity)
		return SP_OK;

	/* half as much again; a sum that overflows leaves the plain need */
	if (!sp_add_size(*capacity, *capacity / 2 + 8, &wanted) || wanted < need)
		wanted = need;
	memcpy(&old, array, sizeof(old));
	if (sp_mul_size(wanted, size, &bytes))
		memory = cx->alloc.resize(cx->alloc.arg, old, bytes > 0 ? bytes : 1);
	if (memory == NULL)
		return sp_fail(cx, SP_ERR_MEMORY, "out of memory");
	sp_store_pointer(array, memory);
	*capacity = wanted;
	return SP_OK;
}

void
sp_free(SpContext *cx, void *pointer)
{
	if (pointer)
		cx->alloc.release(cx->alloc.arg, pointer);
}

SpStatus
sp_copy_str(SpContext *cx, SpStr str, const char **result)
{
	void	   *copy;

	*result = NULL;
	if (str.size > cx->limits.max_string)
	{
		char		shown[SP_PRINTABLE_SIZE];

		return sp_fail_limit(cx, "max_string_length", "a name of %zu bytes is longer than the limit of %u: \"%s\"",
							 str.size, cx->limits.max_string, sp_printable(str, shown));
	}
	SP_TRY(sp_alloc_array(cx, str.size + 1, 1, &copy));
	if (str.size > 0)
		memcpy(copy, str.data, str.size);
	*result = copy;
	return SP_OK;
}

SpStatus
sp_poll(SpContext *cx)
{
	if (cx->stop && cx->stop(cx->stop_arg))
		return sp_fail(cx, SP_ERR_CANCELLED, "canceled");
	return SP_OK;
}

bool
sp_str_eq(SpStr a, SpStr b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

bool
sp_str_is(SpStr a, const char *literal)
{
	return sp_str_eq(a, (SpStr) {literal, strlen(literal)});
}

/* C0 and C1 controls and DEL; character is one well-formed sequence. */
static bool
sp_is_control(const uint8_t *character)
{
	return character[0] < 0x20 || character[0] == 0x7f ||
		(character[0] == 0xc2 && character[1] < 0xa0);
}

bool
sp_str_is_text(SpStr str)
{
	const uint8_t *bytes = (const uint8_t *) str.data;
	size_t		pos = 0;

	while (pos < str.size)
	{
		size_t		step = sp_utf8_length(bytes + pos, str.size - pos);

		if (step == 0 || sp_is_control(bytes + pos))
			return false;
		pos += step;
	}
	return true;
}

const char *
sp_printable(SpStr str, char buffer[SP_PRINTABLE_SIZE])
{
	const uint8_t *bytes = (const uint8_t *) str.data;
	size_t		pos = 0;
	size_t		used = 0;

	while (pos < str.size)
	{
		size_t		step = sp_utf8_length(bytes + pos, str.size - pos);
		bool		shown = step > 0 && !sp_is_control(bytes + pos);
		size_t		width = shown ? step : 1;

		if (used + width > SP_PRINTABLE_BYTES)
		{
			memcpy(buffer + used, "...", 3);
			used += 3;
			break;
		}
		if (shown)
			memcpy(buffer + used, bytes + pos, step);
		else
			buffer[used] = '?';
		used += width;
		pos += step > 0 ? step : 1;
	}
	buffer[used] = '\0';
	return buffer;
}
