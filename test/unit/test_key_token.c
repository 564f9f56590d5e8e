/*
 * test/unit/test_key_token.c
 *
 * API keys as text: form, check, and digits that are all equally likely.
 */
#include <string.h>

#include "base/sp_key_token.h"
#include "sp_test.h"

#define is_int(got, expected, ...) ok((got) == (expected), __VA_ARGS__)

/* A stream of bytes (xorshift64*). */
typedef struct Source
{
	uint64_t	state;
	int			fails_after;	/* calls; -1: never */
} Source;

static bool
fill(void *arg, void *bytes, size_t size)
{
	Source	   *source = arg;

	if (source->fails_after == 0)
		return false;
	source->fails_after--;
	for (size_t i = 0; i < size; i++)
	{
		source->state ^= source->state >> 12;
		source->state ^= source->state << 25;
		source->state ^= source->state >> 27;
		((uint8_t *) bytes)[i] = (uint8_t) (source->state * UINT64_C(2685821657736338717) >> 56);
	}
	return true;
}

/* Its check was computed by zlib.crc32 of Python 3.11. */
static const char known[] = "sp_live_4Zk9QmXb27Lp_0123456789ABCDEFGHIJKLMNOPQRSTUV" "2tczeH";

static bool
parses(const char *text)
{
	SpKeyToken	token;

	return sp_key_token_parse(text, strlen(text), &token);
}

static void
test_known(void)
{
	SpKeyToken	token;

	ok(sp_key_token_parse(known, strlen(known), &token), "a known key");
	is_int(token.stage, SP_KEY_PRODUCTION, "its stage");
	ok(strcmp(token.id, "4Zk9QmXb27Lp") == 0, "its id");
	ok(strlen(known) == SP_KEY_TOKEN_SIZE - 1, "the longest there is");
}

/* No text that differs in one place, or is shorter or longer, is a key. */
static void
test_damage(void)
{
	size_t		size = strlen(known);
	char		text[sizeof(known) + 1];
	SpKeyToken	token;
	int			taken = 0;

	for (size_t at = 0; at < size; at++)
	{
		for (int c = 0; c < 256; c++)
		{
			memcpy(text, known, sizeof(known));
			if (text[at] == (char) c)
				continue;
			text[at] = (char) c;
			taken += sp_key_token_parse(text, size, &token);
		}
	}
	is_int(taken, 0, "one byte of it changed, in all ways");
	taken = 0;
	for (size_t length = 0; length < size; length++)
		taken += sp_key_token_parse(known, length, &token);
	is_int(taken, 0, "cut off");
	memcpy(text, known, size);
	text[size] = '0';
	ok(!sp_key_token_parse(text, size + 1, &token), "with a digit more");
	taken = 0;
	for (size_t at = 0; at + 1 < size; at++)
	{
		memcpy(text, known, sizeof(known));
		text[at] = known[at + 1];
		text[at + 1] = known[at];
		taken += text[at] != text[at + 1] && sp_key_token_parse(text, size, &token);
	}
	is_int(taken, 0, "two neighbours swapped");
	ok(!parses("sp_prod_4Zk9QmXb27Lp_0123456789ABCDEFGHIJKLMNOPQRSTUV000000"), "no stage of ours");
}

static void
test_made(void)
{
	static const char *const prefixes[SP_N_KEY_STAGES] = {"sp_dev_", "sp_test_", "sp_stg_", "sp_live_"};
	Source		source = {.state = 88172645463325252u, .fails_after = -1};
	char		text[SP_KEY_TOKEN_SIZE];
	char		before[SP_KEY_TOKEN_SIZE] = "";
	SpKeyToken	made;
	SpKeyToken	token;

	for (int stage = 0; stage < SP_N_KEY_STAGES; stage++)
	{
		SpKeyStage	found;
		const char *name = sp_key_stage_name((SpKeyStage) stage);

		ok(sp_key_token_make((SpKeyStage) stage, fill, &source, text, &made), "a key for %s", name);
		ok(strncmp(text, prefixes[stage], strlen(prefixes[stage])) == 0, "begins with %s", prefixes[stage]);
		ok(sp_key_token_parse(text, strlen(text), &token), "is a key");
		ok(token.stage == made.stage && strcmp(token.id, made.id) == 0, "of that stage and id");
		ok(strcmp(text, before) != 0, "and another one");
		ok(sp_key_stage_find(name, strlen(name), &found) && found == (SpKeyStage) stage, "the stage has that name");
		ok(sp_key_id_is_valid(made.id, strlen(made.id)), "the id is one");
		strcpy(before, text);
	}
	ok(!sp_key_id_is_valid("4Zk9QmXb27L", 11) && !sp_key_id_is_valid("4Zk9QmXb27L-", 12), "what is no id");
	source.fails_after = 0;
	ok(!sp_key_token_make(SP_KEY_TESTING, fill, &source, text, &made), "none without random bytes");
	source.fails_after = 1;
	ok(!sp_key_token_make(SP_KEY_TESTING, fill, &source, text, &made), "nor with too few");
}

/* Pearson's chi-squared of 61 degrees of freedom: 112.3 is passed once in 10,000 times. */
static void
test_no_bias(void)
{
	Source		source = {.state = 88172645463325252u, .fails_after = -1};
	const char *digit = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	long		seen[256] = {0};
	char		text[SP_KEY_TOKEN_SIZE];
	SpKeyToken	token;
	double		expected = 44 * 100.0;
	double		chi = 0;

	for (int i = 0; i < 62 * 100; i++)
	{
		(void) sp_key_token_make(SP_KEY_PRODUCTION, fill, &source, text, &token);
		for (size_t at = 8; at < 8 + 12 + 1 + 32; at++)
			seen[(unsigned char) text[at]]++;
	}
	is_int(seen['_'], 62 * 100, "one underscore between id and secret");
	for (int i = 0; i < 62; i++)
		chi += ((double) seen[(unsigned char) digit[i]] - expected) *
			((double) seen[(unsigned char) digit[i]] - expected) / expected;
	ok(chi < 112.3, "digits are equally likely: chi-squared %.1f", chi);
}

int
main(void)
{
	test_known();
	test_damage();
	test_made();
	test_no_bias();
	return done_testing();
}
