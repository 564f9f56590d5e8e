/*
 * src/base/sp_key_token.h
 *
 * API keys as text:
 *
 *	sp_<dev|test|stg|live>_<id: 12 digits>_<secret: 32 digits><check: 6 digits>
 *
 * Digits are base 62: 0-9, A-Z, a-z in the order of ASCII.  id and secret are
 * random; the id (71 bits) is public, the secret (190 bits) is not.  The check
 * is the CRC-32 (ISO 3309, as in zip) of everything before it, most significant
 * digit first: it finds typing errors without a look at a table, and proves nothing.
 * The underscore is no digit and in no base64, so a key is found in text by its
 * beginning, and selected whole by a double click.
 */
#ifndef SP_KEY_TOKEN_H
#define SP_KEY_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SP_KEY_ID_SIZE 13		/* of an id, with the zero byte */
#define SP_KEY_TOKEN_SIZE 60	/* of the longest key, with the zero byte */

/* The stage that a key is for. */
typedef enum SpKeyStage
{
	SP_KEY_DEVELOPMENT,
	SP_KEY_TESTING,
	SP_KEY_STAGING,
	SP_KEY_PRODUCTION
} SpKeyStage;

#define SP_N_KEY_STAGES 4

/* What of a key may be known. */
typedef struct SpKeyToken
{
	SpKeyStage	stage;
	char		id[SP_KEY_ID_SIZE];
} SpKeyToken;

/* The stage's name, such as "production". */
extern const char *sp_key_stage_name(SpKeyStage stage);

/* False for what is no name of the four. */
extern bool sp_key_stage_find(const char *name, size_t size, SpKeyStage *stage);

/* False unless text has the form above and its check is right. */
extern bool sp_key_token_parse(const char *text, size_t size, SpKeyToken *token);

/* Has text the form of an id? */
extern bool sp_key_id_is_valid(const char *text, size_t size);

/* Fills bytes with random ones; false when there are none to be had. */
typedef bool (*SpRandomFill) (void *arg, void *bytes, size_t size);

/*
 * A new key in text, which ends with a zero byte; false when fill fails.  Every digit
 * is equally likely: bytes that would favour some are thrown away.
 */
extern bool sp_key_token_make(SpKeyStage stage, SpRandomFill fill, void *arg,
							  char text[SP_KEY_TOKEN_SIZE], SpKeyToken *token);

#endif
