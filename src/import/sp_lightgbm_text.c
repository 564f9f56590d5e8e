/*
 * src/import/sp_lightgbm_text.c
 *
 * Lines, words and numbers of a LightGBM model file.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "import/sp_lightgbm_internal.h"

#define SP_LGB_LINES_PER_POLL 256
#define SP_LGB_NUMBERS_PER_POLL 65536

SpStatus
sp_lgb_fail(SpLightgbm *lgb, const char *fmt,...)
{
	char		message[240];
	va_list		args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	return sp_fail_at(lgb->cx, lgb->line, "%s", message);
}

SpStatus
sp_lgb_line(SpLightgbm *lgb, SpStr *line, bool *found)
{
	const char *begin = lgb->bytes + lgb->pos;
	const char *end;
	size_t		left = lgb->size - lgb->pos;

	*found = left > 0;
	lgb->line = lgb->pos;
	if (++lgb->n_lines % SP_LGB_LINES_PER_POLL == 0)
		SP_TRY(sp_poll(lgb->cx));
	if (left == 0)
	{
		*line = (SpStr) {begin, 0};
		return SP_OK;
	}
	end = memchr(begin, '\n', left);
	line->data = begin;
	line->size = end ? (size_t) (end - begin) : left;
	lgb->pos += line->size + (end != NULL);
	if (line->size > 0 && begin[line->size - 1] == '\r')
		line->size--;
	return SP_OK;
}

bool
sp_lgb_split(SpStr line, SpStr *name, SpStr *value)
{
	const char *sign = line.size > 0 ? memchr(line.data, '=', line.size) : NULL;

	if (sign == NULL)
		return false;
	*name = (SpStr) {line.data, (size_t) (sign - line.data)};
	*value = (SpStr) {sign + 1, line.size - name->size - 1};
	return true;
}

bool
sp_lgb_word(SpStr *text, SpStr *word)
{
	size_t		begin = 0;
	size_t		end;

	*word = *text;
	/* a line that the file lacks has no bytes to point at */
	if (text->size == 0)
		return false;
	while (begin < text->size && text->data[begin] == ' ')
		begin++;
	end = begin;
	while (end < text->size && text->data[end] != ' ')
		end++;
	*word = (SpStr) {text->data + begin, end - begin};
	text->data += end;
	text->size -= end;
	return word->size > 0;
}

bool
sp_lgb_part(SpStr *text, char separator, SpStr *part)
{
	const char *end;

	if (text->size == 0)
		return false;
	end = memchr(text->data, separator, text->size);
	part->data = text->data;
	part->size = end ? (size_t) (end - text->data) : text->size;
	text->data += part->size + (end != NULL);
	text->size -= part->size + (end != NULL);
	return true;
}

SpStatus
sp_lgb_number(SpLightgbm *lgb, const char *name, SpStr text, uint32_t max, uint32_t *number)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpToken		token;

	if (!sp_parse_number(text, &token) || !token.is_integer || token.integer < 0 || token.integer > max)
		return sp_lgb_fail(lgb, "%s \"%s\" is not a number from 0 to %u", name, sp_printable(text, shown), max);
	*number = (uint32_t) token.integer;
	return SP_OK;
}

SpStatus
sp_lgb_double(SpLightgbm *lgb, const char *name, SpStr word, double *number)
{
	char		shown[SP_PRINTABLE_SIZE];
	SpToken		token;

	if (!sp_parse_number(word, &token) || !isfinite(token.number))
		return sp_lgb_fail(lgb, "%s has \"%s\", which is not a finite number", name, sp_printable(word, shown));
	*number = token.number;
	return SP_OK;
}

SpStatus
sp_lgb_numbers(SpLightgbm *lgb, const char *name, SpStr text, size_t count, SpLgbNumbers *numbers)
{
	SpStr		word;

	numbers->count = 0;
	while (sp_lgb_word(&text, &word))
	{
		if (numbers->count >= count)
			return sp_lgb_fail(lgb, "%s has more than %zu numbers", name, count);
		if (numbers->count % SP_LGB_NUMBERS_PER_POLL == SP_LGB_NUMBERS_PER_POLL - 1)
			SP_TRY(sp_poll(lgb->cx));
		SP_TRY(sp_grow_array(lgb->cx, (void **) &numbers->at, &numbers->capacity, numbers->count + 1,
							 sizeof(double)));
		/* a threshold above all numbers that training saw; the builder refuses it elsewhere */
		if (sp_str_is(word, "inf") || sp_str_is(word, "-inf"))
			numbers->at[numbers->count] = word.data[0] == '-' ? -INFINITY : INFINITY;
		else
			SP_TRY(sp_lgb_double(lgb, name, word, &numbers->at[numbers->count]));
		numbers->count++;
	}
	if (numbers->count != count)
		return sp_lgb_fail(lgb, "%s has %zu numbers instead of %zu", name, numbers->count, count);
	return SP_OK;
}

SpStatus
sp_lgb_integers(SpLightgbm *lgb, const char *name, SpStr text, size_t count, double low, double high,
				SpLgbNumbers *numbers)
{
	size_t		i;

	SP_TRY(sp_lgb_numbers(lgb, name, text, count, numbers));
	for (i = 0; i < count; i++)
	{
		if (!(numbers->at[i] >= low && numbers->at[i] <= high) || numbers->at[i] != trunc(numbers->at[i]))
			return sp_lgb_fail(lgb, "%s has %g, which is not a whole number from %.0f to %.0f", name,
							   numbers->at[i], low, high);
	}
	return SP_OK;
}
