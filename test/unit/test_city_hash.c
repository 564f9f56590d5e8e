/*
 * test/unit/test_city_hash.c
 *
 * Hashes of categories: the numbers that catboost 1.2.10 wrote into
 * features_info.cat_features_hash of a JSON model, for every branch by length.
 */
#include <string.h>

#include "base/sp_city_hash.h"
#include "sp_test.h"

static const struct
{
	const char *text;
	uint32_t	hash;
}			known[] = {
	{"0", UINT32_C(2856682258)},
	{"-1", UINT32_C(288298918)},
	{"42", UINT32_C(1145636304)},
	{"9223372036854775807", UINT32_C(798388021)},
	{"NaN", UINT32_C(1713674485)},
	{"", UINT32_C(797982799)},
	{"f", UINT32_C(2842370079)},
	{"ab", UINT32_C(4090249022)},
	{"fgh", UINT32_C(659123381)},
	{"fghi", UINT32_C(1120488338)},
	{"abcdefg", UINT32_C(163411706)},
	{"abcdefgh", UINT32_C(4270775063)},
	{"abcdefghi", UINT32_C(3019552977)},
	{"fghijklmnopqrst", UINT32_C(2675140880)},
	{"fghijklmnopqrstu", UINT32_C(159872995)},
	{"abcdefghijklmnopq", UINT32_C(322581478)},
	{"fghijklmnopqrstuvwxyz \xc3\x84" "", UINT32_C(443579304)},
	{"fghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "01234", UINT32_C(4253786613)},
	{"fghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "012345", UINT32_C(723770737)},
	{"abcdefghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "01", UINT32_C(1321672276)},
	{"fghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijkl", UINT32_C(3540857171)},
	{"fghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijklmnopqrstuvwxyz ", UINT32_C(1877254012)},
	{"abcdefghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijklmnopqrstuvw", UINT32_C(2938109381)},
	{"fghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijklmnopqrstuvwxyz \xc3\x84" "", UINT32_C(2172754712)},
	{"abcdefghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0", UINT32_C(4227361937)},
	{"fghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijklmnopqrstuv", UINT32_C(2507248440)},
	{"abcdefghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijklmnopqrstuvwxyz \xc3\x84" "\xc3\x96" "0123456789abcdefghijk", UINT32_C(1082701889)},
};

static void
test_integers(void)
{
	char		text[SP_DECIMAL_SIZE];

	ok(sp_integer_text(42, text) && !strcmp(text, "42"), "42");
	ok(sp_integer_text(-0.0, text) && !strcmp(text, "0"), "zero has no sign");
	ok(sp_integer_text(-0x1p63, text) && !strcmp(text, "-9223372036854775808"), "the lowest");
	ok(!sp_integer_text(0x1p63, text) && !sp_integer_text(0.5, text) && !sp_integer_text(__builtin_nan(""), text) &&
	   !sp_integer_text(__builtin_inf(), text), "no others");
}

int
main(void)
{
	for (size_t at = 0; at < sizeof(known) / sizeof(known[0]); at++)
	{
		size_t		size = strlen(known[at].text);
		uint32_t	hash = sp_cat_hash(known[at].text, size);

		ok(hash == known[at].hash, "%zu bytes: %u", size, hash);
	}
	test_integers();
	return done_testing();
}
