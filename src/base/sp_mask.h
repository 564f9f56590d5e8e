/*
 * src/base/sp_mask.h
 *
 * Taking the secrets of API keys out of text.
 *
 * A token is sp_<stage>_<id>_<secret>: stage dev, test, stg or live, id 12
 * characters of base62 that are public, secret 38 of them.
 */
#ifndef SP_MASK_H
#define SP_MASK_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Replace by * in place every character of base62 that follows
 * sp_<stage>_<id>_, however many there are: a text may have been cut, or
 * glued to another.  True if there was any.
 */
extern bool sp_mask_tokens(char *text, size_t size);

/* As that, without changing the text. */
extern bool sp_has_token(const char *text, size_t size);

#endif
