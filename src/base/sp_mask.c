/*
 * src/base/sp_mask.c
 */
#include "base/sp_mask.h"

#include <string.h>

#define ID_SIZE 12

static bool
is_base62(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Of "sp_<stage>_<id>_" at the beginning of text; 0 if it does not begin so. */
static size_t
public_part(const char *text, size_t size)
{
	static const char *const prefixes[] = {"sp_dev_", "sp_test_", "sp_stg_", "sp_live_"};

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
	{
		size_t		length = strlen(prefixes[i]);
		size_t		end = length + ID_SIZE;

		if (size <= end || memcmp(text, prefixes[i], length) != 0)
			continue;
		while (length < end && is_base62(text[length]))
			length++;
		return length == end && text[end] == '_' ? end + 1 : 0;
	}
	return 0;
}

/* Where the secret begins that belongs to a token at at; size when there is none. */
static size_t
secret_of(const char *text, size_t size, size_t at)
{
	size_t		secret = public_part(text + at, size - at);

	return secret > 0 && at + secret < size && is_base62(text[at + secret]) ? at + secret : size;
}

bool
sp_has_token(const char *text, size_t size)
{
	const char *end = text + size;

	for (const char *s = text; s < end && (s = memchr(s, 's', (size_t) (end - s))) != NULL; s++)
		if (secret_of(text, size, (size_t) (s - text)) < size)
			return true;
	return false;
}

/* From the end, so that the beginning of a token within another's secret is seen before that is hidden. */
bool
sp_mask_tokens(char *text, size_t size)
{
	if (!sp_has_token(text, size))
		return false;
	for (size_t at = size; at-- > 0;)
		for (size_t i = text[at] == 's' ? secret_of(text, size, at) : size; i < size && is_base62(text[i]); i++)
			text[i] = '*';
	return true;
}
