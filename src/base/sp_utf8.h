/*
 * src/base/sp_utf8.h
 *
 * One character of UTF-8 at a time, for text that comes from files.
 */
#ifndef SP_UTF8_H
#define SP_UTF8_H

#include <stddef.h>
#include <stdint.h>

/*
 * Length of the well-formed sequence at the start of bytes (1 to 4), or 0 if
 * there is none.  Overlong forms, surrogates and values above U+10FFFF are
 * not well-formed (Unicode 15, table 3-7).
 */
static inline size_t
sp_utf8_length(const uint8_t *bytes, size_t left)
{
	uint8_t		first;
	uint8_t		low = 0x80;
	uint8_t		high = 0xbf;
	size_t		length;
	size_t		i;

	if (left == 0)
		return 0;
	first = bytes[0];
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	if (length > left)
		return 0;

	/* only the second byte's range depends on the first */
	if (first == 0xe0)
		low = 0xa0;
	else if (first == 0xed)
		high = 0x9f;
	else if (first == 0xf0)
		low = 0x90;
	else if (first == 0xf4)
		high = 0x8f;
	if (bytes[1] < low || bytes[1] > high)
		return 0;
	for (i = 2; i < length; i++)
	{
		if (bytes[i] < 0x80 || bytes[i] > 0xbf)
			return 0;
	}
	return length;
}

/* Write a code point that is not a surrogate; returns the bytes written. */
static inline size_t
sp_utf8_encode(uint32_t code, char *out)
{
	if (code < 0x80)
	{
		out[0] = (char) code;
		return 1;
	}
	if (code < 0x800)
	{
		out[0] = (char) (0xc0 | (code >> 6));
		out[1] = (char) (0x80 | (code & 0x3f));
		return 2;
	}
	if (code < 0x10000)
	{
		out[0] = (char) (0xe0 | (code >> 12));
		out[1] = (char) (0x80 | ((code >> 6) & 0x3f));
		out[2] = (char) (0x80 | (code & 0x3f));
		return 3;
	}
	out[0] = (char) (0xf0 | (code >> 18));
	out[1] = (char) (0x80 | ((code >> 12) & 0x3f));
	out[2] = (char) (0x80 | ((code >> 6) & 0x3f));
	out[3] = (char) (0x80 | (code & 0x3f));
	return 4;
}

#endif
