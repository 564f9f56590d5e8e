/*
 * test/unit/test_mask.c
 *
 * Secrets of API keys in text are found wherever they stand, whole or cut, and
 * nothing else is touched.
 */
#include <string.h>

#include "base/sp_mask.h"
#include "sp_test.h"

#define ID "4Zk9QmXb27Lp"
#define SECRET "0123456789abcdefghijABCDEFGHIJzzZZ9900"
#define HIDDEN "**************************************"

static const struct
{
	const char *text;
	const char *masked;
}			cases[] = {
	{"sp_live_" ID "_" SECRET, "sp_live_" ID "_" HIDDEN},
	{"sp_dev_" ID "_" SECRET, "sp_dev_" ID "_" HIDDEN},
	{"sp_stg_" ID "_" SECRET, "sp_stg_" ID "_" HIDDEN},
	{"sp_test_" ID "_" SECRET, "sp_test_" ID "_" HIDDEN},
	/* within a statement, twice, glued to what stands before */
	{"SELECT f('sp_live_" ID "_" SECRET "', 'xsp_test_" ID "_" SECRET "')",
		"SELECT f('sp_live_" ID "_" HIDDEN "', 'xsp_test_" ID "_" HIDDEN "')"},
	/* cut by a limit of length, or longer than a token */
	{"$1 = 'sp_live_" ID "_0a...'", "$1 = 'sp_live_" ID "_**...'"},
	{"sp_live_" ID "_" SECRET "more", "sp_live_" ID "_" HIDDEN "****"},
	/* a beginning that is none, right before one that is */
	{"sp_sp_live_sp_live_" ID "_" SECRET, "sp_sp_live_sp_live_" ID "_" HIDDEN},
	/* one within what looks like another's secret, or its id */
	{"sp_live_" ID "_sp_live_" ID "_" SECRET, "sp_live_" ID "_**_live_" ID "_" HIDDEN},
	{"sp_live_4Zk9QmXb27sp_live_" ID "_" SECRET, "sp_live_4Zk9QmXb27sp_****_" ID "_" HIDDEN},
	/* not tokens */
	{"", ""},
	{"sp_live_" ID "_", "sp_live_" ID "_"},
	{"sp_live_" ID, "sp_live_" ID},
	{"sp_live_4Zk9QmXb27L_" SECRET, "sp_live_4Zk9QmXb27L_" SECRET},
	{"sp_live_4Zk9QmXb2-Lp_" SECRET, "sp_live_4Zk9QmXb2-Lp_" SECRET},
	{"sp_prod_" ID "_" SECRET, "sp_prod_" ID "_" SECRET},
	{"SP_LIVE_" ID "_" SECRET, "SP_LIVE_" ID "_" SECRET},
	{"ssssssssss", "ssssssssss"}
};

static void
test_cases(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		size_t		size = strlen(cases[i].text);
		bool		differs = strcmp(cases[i].text, cases[i].masked) != 0;
		char	   *copy = malloc(size + 1);	/* exactly, so that the sanitizer sees a byte too far */

		memcpy(copy, cases[i].text, size + 1);
		ok(sp_has_token(copy, size) == differs, "has a token: %s", cases[i].text);
		ok(sp_mask_tokens(copy, size) == differs && strcmp(copy, cases[i].masked) == 0,
			  "masked: %s", cases[i].text);
		free(copy);
	}
}

/* Every cut of a text, without a zero byte behind it. */
static void
test_cuts(void)
{
	static const char text[] = "a 'sp_live_" ID "_" SECRET "' b";
	size_t		secret = strlen("a 'sp_live_" ID "_");
	size_t		good = 0;

	for (size_t size = 0; size < sizeof(text); size++)
	{
		char	   *copy = malloc(size > 0 ? size : 1);
		size_t		shown = size < secret ? size : secret;

		memcpy(copy, text, size);
		(void) sp_mask_tokens(copy, size);
		good += memcmp(copy, text, shown) == 0 && (size <= secret || copy[secret] == '*') &&
			(size <= secret || copy[(size < secret + 38 ? size : secret + 38) - 1] == '*');
		free(copy);
	}
	ok(good == sizeof(text), "every cut is masked as far as it goes");
}

int
main(void)
{
	test_cases();
	test_cuts();
	return done_testing();
}
