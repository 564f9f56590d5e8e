/*
 * test/unit/test_tokens.c
 *
 * The token reader: JSON and UBJSON, what they accept and what they refuse.
 */
#include <math.h>

#include "sp_test.h"

#include "base/sp_tokens.h"

/* A document as text: tokens in brief, separated by spaces, or the error. */
static char trace[100000];
static SpError last_error;

static void
trace_token(const SpToken *token)
{
	static const char *const marks[] = {"END", "{", "}", "[", "]", NULL, NULL, NULL, "true", "false", "null"};
	size_t		used = strlen(trace);
	char	   *out = trace + used;
	size_t		left = sizeof(trace) - used;
	int			length = (int) token->text.size;

	switch (token->kind)
	{
		case SP_TOKEN_KEY:
			snprintf(out, left, "%.*s: ", length, token->text.data);
			break;
		case SP_TOKEN_STRING:
			snprintf(out, left, "'%.*s' ", length, length > 0 ? token->text.data : "");
			break;
		case SP_TOKEN_NUMBER:
			if (token->is_integer)
				snprintf(out, left, "%lld ", (long long) token->integer);
			else
				snprintf(out, left, "%.17gd ", token->number);
			break;
		default:
			snprintf(out, left, "%s ", marks[token->kind]);
			break;
	}
}

static SpStatus
read_all(SpTokenFormat format, const void *bytes, size_t size, uint32_t max_nesting, long fail_at)
{
	SpContext	cx;
	SpTestRegion region;
	SpTokens   *tokens;
	SpToken		token;
	SpStatus	status;
	void	   *copy = malloc(size > 0 ? size : 1);

	memcpy(copy, bytes, size);
	sp_test_context(&cx, &region);
	cx.limits.max_nesting = max_nesting;
	region.fail_at = fail_at;
	trace[0] = '\0';
	status = sp_tokens_open(&cx, format, copy, size, &tokens);
	while (status == SP_OK)
	{
		status = sp_tokens_next(tokens, &token);
		if (status != SP_OK || token.kind == SP_TOKEN_END)
			break;
		if (strlen(trace) < sizeof(trace) - 200)
			trace_token(&token);
	}
	if (status == SP_OK && (sp_tokens_next(tokens, &token) != SP_OK || token.kind != SP_TOKEN_END))
		status = SP_ERR_INTERNAL;	/* the end must repeat */
	last_error = cx.error;
	sp_test_release_all(&region);
	free(copy);
	return status;
}

static void
json_is(const char *json, const char *expected)
{
	SpStatus	status = read_all(SP_TOKENS_JSON, json, strlen(json), 64, 0);
	char		shown[SP_PRINTABLE_SIZE];

	sp_printable((SpStr) {json, strlen(json)}, shown);
	if (!ok(status == SP_OK && strcmp(trace, expected) == 0, "JSON %s", shown))
		printf("# status %d %s, trace: %s\n", status, last_error.message, trace);
}

static void
json_fails(const char *json, long long offset, const char *text)
{
	SpStatus	status = read_all(SP_TOKENS_JSON, json, strlen(json), 64, 0);
	char		shown[SP_PRINTABLE_SIZE];

	sp_printable((SpStr) {json, strlen(json)}, shown);
	if (!ok(status == SP_ERR_FORMAT && (long long) last_error.offset == offset &&
			strstr(last_error.message, text), "no JSON: %s", shown))
		printf("# status %d %s at %lld, trace: %s\n", status, last_error.message, (long long) last_error.offset, trace);
}

static void
test_json(void)
{
	json_is("{}", "{ } ");
	json_is(" [ ] \r\n\t", "[ ] ");
	json_is("[1,-2.5e1,[true,false],{\"a\":null,\"b\":{\"c\":\"d\"}}]",
			"[ 1 -25 [ true false ] { a: null b: { c: 'd' } } ] ");
	json_is("\"x\"", "'x' ");
	json_is("0", "0 ");
	json_is("-0", "0 ");
	json_is("[0.5,1E2,1e-2,123456789012345678,1e400,-9223372036854775808,9223372036854775808]",
			"[ 0.5d 100 0.01d 123456789012345678 infd -9223372036854775808 9.2233720368547758e+18d ] ");
	json_is("[NaN,Infinity,-Infinity]", "[ nand infd -infd ] ");
	json_is("\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "'\"\\/\b\f\n\r\t' ");
	json_is("\"\\u00e4\\u20AC\\ud83d\\ude00x\"", "'\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80x' ");
	json_is("{\"a\\nb\":\"\"}", "{ a\nb: '' } ");

	json_fails("", 0, "empty");
	json_fails("  ", 2, "end of JSON");
	json_fails("[1,]", 3, "value expected");
	json_fails("[1 2]", 3, "\",\" or \"]\"");
	json_fails("[,1]", 1, "value");
	json_fails("{\"a\":1,}", 7, "member's name");
	json_fails("{\"a\" 1}", 5, "\":\" expected");
	json_fails("{\"a\":}", 5, "value");
	json_fails("{a:1}", 1, "member's name");
	json_fails("{\"a\":1]", 6, "\",\" or \"}\"");
	json_fails("[1}", 2, "\",\" or \"]\"");
	json_fails("]", 0, "value");
	json_fails("1 2", 2, "after the end");
	json_fails("{}x", 2, "after the end");
	json_fails("[1", 2, "end of JSON");
	json_fails("{\"a\"", 4, "end of JSON");
	json_fails("[\"abc", 5, "end of JSON");
	json_fails("[\"ab\\", 5, "end of JSON");
	json_fails("01", 0, "malformed number");
	json_fails("[01]", 1, "malformed number");
	json_fails("+1", 0, "value");
	json_fails(".5", 0, "value");
	json_fails("[5.]", 1, "malformed number");
	json_fails("[1e]", 1, "malformed number");
	json_fails("[-]", 1, "malformed number");
	json_fails("[nan]", 1, "value");
	json_fails("[Inf]", 1, "value");
	json_fails("[tru]", 1, "value");
	json_fails("'a'", 0, "value");
	json_fails("[\"a\nb\"]", 3, "control character");
	json_fails("[\"\\x\"]", 2, "invalid escape");
	json_fails("[\"\\u12g4\"]", 6, "\\u escape");
	json_fails("[\"\\ud800\"]", 2, "surrogate");
	json_fails("[\"\\udc00\"]", 2, "surrogate");
	json_fails("[\"\\ud800\\u0041\"]", 2, "surrogate");
	json_fails("[\"\\u0000\"]", 1, "UTF-8");
	json_fails("[\"\xff\"]", 1, "UTF-8");
	json_fails("{\"\xc0\xaf\":1}", 1, "UTF-8");
	json_fails("\xef\xbb\xbf[]", 0, "value");
}

/* Numbers against the C library, which rounds correctly. */
static void
test_json_numbers(void)
{
	static const char *const texts[] = {
		"1.7976931348623157e308", "4.9406564584124654e-324", "2.2250738585072011e-308",
		"3.4028235677973366e38", "1.00000005960464477539062500001", "1.00000005960464477539062499999",
		"1.000000059604644775390625",
		"7.00649232162408535461864791644958065640130970938257885878534141944895541342930300743319094181060791015625e-46",
		"1.1754943508222875e-38", "9007199254740993", "9007199254740992.5", "0.1", "123456789e-22", "1E22", "1e23",
		"16777217", "16777219.0000001", "5E-1", "-0.0", "1e-400", "0.000000000000000000000000000000000000000000001401298464324817"
	};
	SpContext	cx;
	SpTestRegion region;
	uint64_t	state = 1;
	char		text[64];
	int			n_bad = 0;
	size_t		i;

	sp_test_context(&cx, &region);
	for (i = 0; i < 20000; i++)
	{
		SpTokens   *tokens;
		SpToken		token;
		const char *number = text;
		float		single;
		float		expected;

		state = state * 6364136223846793005u + 1442695040888963407u;
		if (i < sizeof(texts) / sizeof(texts[0]))
			number = texts[i];
		else
			snprintf(text, sizeof(text), "%s%llu.%09lluE%d", state >> 63 ? "-" : "", (unsigned long long) (state >> 40) % 1000,
					 (unsigned long long) (state >> 20) % 1000000000, (int) (state >> 33) % 50);
		if (sp_tokens_open(&cx, SP_TOKENS_JSON, number, strlen(number), &tokens) != SP_OK ||
			sp_tokens_next(tokens, &token) != SP_OK)
			break;
		single = sp_token_f32(&token);
		expected = strtof(number, NULL);
		if (token.number != strtod(number, NULL) || memcmp(&single, &expected, sizeof(single)) != 0)
		{
			n_bad++;
			printf("# %s: %.17g, %.9g instead of %.9g\n", number, token.number, (double) single, (double) expected);
		}
		sp_tokens_close(tokens);
	}
	ok(n_bad == 0 && i == 20000, "numbers are rounded as strtod and strtof round");
	sp_test_release_all(&region);
}

static void
test_long(void)
{
	size_t		size = 200001;
	char	   *text = malloc(size);
	SpStatus	status;

	memset(text, '[', size);
	status = read_all(SP_TOKENS_JSON, text, size, 64, 0);
	ok(status == SP_ERR_LIMIT && last_error.offset == 64, "100000 arrays in each other");
	status = read_all(SP_TOKENS_UBJSON, text, size, 64, 0);
	ok(status == SP_ERR_LIMIT && last_error.offset == 64, "the same in UBJSON");
	status = read_all(SP_TOKENS_JSON, text, 64, 64, 0);
	ok(status == SP_ERR_FORMAT, "64 are not too many");
	memset(text, '1', size);
	status = read_all(SP_TOKENS_JSON, text, size, 64, 0);
	ok(status == SP_ERR_FORMAT && strstr(last_error.message, "too long"), "a number of 200000 digits");
	text[0] = text[size - 1] = '"';
	ok(read_all(SP_TOKENS_JSON, text, size, 64, 0) == SP_OK, "a string of 200000 bytes");
	text[1] = '\\';
	text[2] = 'n';
	ok(read_all(SP_TOKENS_JSON, text, size, 64, 0) == SP_OK, "and with an escape");
	ok(read_all(SP_TOKENS_JSON, text, size, 64, 2) == SP_ERR_MEMORY, "for which memory is short");
	free(text);
}

static void
ubjson_is(const char *bytes, size_t size, const char *expected)
{
	SpStatus	status = read_all(SP_TOKENS_UBJSON, bytes, size, 64, 0);

	if (!ok(status == SP_OK && strcmp(trace, expected) == 0, "UBJSON for %s", expected))
		printf("# status %d %s at %lld, trace: %s\n", status, last_error.message, (long long) last_error.offset, trace);
}

static void
ubjson_fails(const char *bytes, size_t size, SpStatus expected, const char *text)
{
	SpStatus	status = read_all(SP_TOKENS_UBJSON, bytes, size, 64, 0);

	if (!ok(status == expected && strstr(last_error.message, text) && last_error.offset <= size,
			"no UBJSON: %s", text))
		printf("# status %d %s at %lld, trace: %s\n", status, last_error.message, (long long) last_error.offset, trace);
}

#define BYTES(literal) (literal), sizeof(literal) - 1

static void
test_ubjson(void)
{
	ubjson_is(BYTES("{}"), "{ } ");
	ubjson_is(BYTES("[]"), "[ ] ");
	ubjson_is(BYTES("Z"), "null ");
	ubjson_is(BYTES("[NTFZN]"), "[ true false null ] ");
	ubjson_is(BYTES("[i\xff" "U\xff" "I\xff\xfe" "l\x80\0\0\0" "L\x7f\xff\xff\xff\xff\xff\xff\xff]"),
			  "[ -1 255 -2 -2147483648 9223372036854775807 ] ");
	ubjson_is(BYTES("[d\x3f\xc0\0\0" "D\x3f\xb9\x99\x99\x99\x99\x99\x9a" "d\x7f\xc0\0\0]"),
			  "[ 1.5d 0.10000000000000001d nand ] ");
	ubjson_is(BYTES("[SU\3abcSi\0Cx]"), "[ 'abc' '' 'x' ] ");
	ubjson_is(BYTES("{L\0\0\0\0\0\0\0\1aTU\1b{}U\1c[Z]}"), "{ a: true b: { } c: [ null ] } ");
	ubjson_is(BYTES("[#U\2TF"), "[ true false ] ");
	ubjson_is(BYTES("{#i\2U\1aTU\1bF"), "{ a: true b: false } ");
	ubjson_is(BYTES("[$U#L\0\0\0\0\0\0\0\3\1\2\3"), "[ 1 2 3 ] ");
	ubjson_is(BYTES("[$d#U\1\x40\0\0\0"), "[ 2 ] ");
	ubjson_is(BYTES("{$i#U\1U\1a\5"), "{ a: 5 } ");
	ubjson_is(BYTES("[$S#U\2U\1aU\1b"), "[ 'a' 'b' ] ");
	ubjson_is(BYTES("[[$U#U\0[#U\0{#U\0]"), "[ [ ] [ ] { } ] ");

	ubjson_fails(BYTES(""), SP_ERR_FORMAT, "empty");
	ubjson_fails(BYTES("["), SP_ERR_FORMAT, "end of data");
	ubjson_fails(BYTES("{U\1a"), SP_ERR_FORMAT, "end of data");
	ubjson_fails(BYTES("{U\5a"), SP_ERR_FORMAT, "cut off");
	ubjson_fails(BYTES("{i\xff" "aT}"), SP_ERR_FORMAT, "negative length");
	ubjson_fails(BYTES("{SU\1aT}"), SP_ERR_FORMAT, "unexpected marker \"S\"");
	ubjson_fails(BYTES("[HU\1" "1]"), SP_ERR_UNSUPPORTED, "high-precision");
	ubjson_fails(BYTES("[?]"), SP_ERR_FORMAT, "unexpected marker \"?\"");
	ubjson_fails(BYTES("[$T#L\x7f\xff\xff\xff\xff\xff\xff\xff"), SP_ERR_FORMAT, "unexpected marker \"T\"");
	ubjson_fails(BYTES("[$[#U\1]"), SP_ERR_FORMAT, "unexpected marker \"[\"");
	ubjson_fails(BYTES("[$U\1\2]"), SP_ERR_FORMAT, "without a count");
	ubjson_fails(BYTES("[$L#L\x7f\xff\xff\xff\xff\xff\xff\xff\1"), SP_ERR_FORMAT, "is cut off");
	ubjson_fails(BYTES("[#L\x40\0\0\0\0\0\0\0TTTT"), SP_ERR_FORMAT, "is cut off");
	ubjson_fails(BYTES("{#l\x40\0\0\0TTTT"), SP_ERR_FORMAT, "is cut off");
	ubjson_fails(BYTES("[$d#U\2\0\0\0\0\0\0\0"), SP_ERR_FORMAT, "is cut off");
	ubjson_fails(BYTES("[#dT"), SP_ERR_FORMAT, "unexpected marker \"d\"");
	ubjson_fails(BYTES("TT"), SP_ERR_FORMAT, "after the end");
	ubjson_fails(BYTES("[SU\1\xff]"), SP_ERR_FORMAT, "UTF-8");
	ubjson_fails(BYTES("[SU\1\0]"), SP_ERR_FORMAT, "UTF-8");
	ubjson_fails(BYTES("[C\x80]"), SP_ERR_FORMAT, "UTF-8");
	ubjson_fails(BYTES("[d\0\0"), SP_ERR_FORMAT, "end of data");
}

/* Skip the value of "skip" in an object, read the rest. */
static void
skips(SpTokenFormat format, const void *bytes, size_t size, SpStatus expected, const char *name)
{
	SpContext	cx;
	SpTestRegion region;
	SpTokens   *tokens;
	SpToken		token;
	SpStatus	status;
	bool		saw_end = false;

	sp_test_context(&cx, &region);
	status = sp_tokens_open(&cx, format, bytes, size, &tokens);
	while (status == SP_OK && !saw_end)
	{
		status = sp_tokens_next(tokens, &token);
		if (status == SP_OK && token.kind == SP_TOKEN_KEY && sp_str_is(token.text, "skip"))
			status = sp_tokens_skip(tokens, &token);
		else if (status == SP_OK && token.kind == SP_TOKEN_KEY && sp_str_is(token.text, "after"))
			status = sp_tokens_next(tokens, &token) == SP_OK && token.is_integer && token.integer == 7 ?
				SP_OK : SP_ERR_INTERNAL;
		saw_end = status == SP_OK && token.kind == SP_TOKEN_END;
	}
	if (!ok(status == expected, "skip %s", name))
		printf("# status %d %s\n", status, cx.error.message);
	sp_test_release_all(&region);
}

static void
test_skip(void)
{
	skips(SP_TOKENS_JSON, BYTES("{\"skip\":[1,{\"a\":[\"\\u0041\",1e5,NaN]},[]],\"after\":7}"), SP_OK, "a subtree");
	skips(SP_TOKENS_JSON, BYTES("{\"skip\":{},\"after\":7}"), SP_OK, "an empty object");
	skips(SP_TOKENS_JSON, BYTES("{\"skip\":1,\"after\":7}"), SP_OK, "a number");
	skips(SP_TOKENS_JSON, BYTES("{\"skip\":\"\xff\",\"after\":7}"), SP_OK, "text that is not kept");
	skips(SP_TOKENS_JSON, BYTES("{\"skip\":[1,2,\"after\":7}"), SP_ERR_FORMAT, "an array that does not end");
	skips(SP_TOKENS_JSON, BYTES("{\"skip\":[1,01],\"after\":7}"), SP_ERR_FORMAT, "a malformed number");
	skips(SP_TOKENS_UBJSON, BYTES("{U\4skip[$l#U\2\0\0\0\1\0\0\0\2U\5afterU\7}"), SP_OK, "typed numbers");
	skips(SP_TOKENS_UBJSON, BYTES("{U\4skip{U\1a[#U\2TSU\1\xff}U\5afterU\7}"), SP_OK, "a UBJSON subtree");
	skips(SP_TOKENS_UBJSON, BYTES("{U\4skip[$d#U\0U\5afterU\7}"), SP_OK, "no numbers");
}

static bool
stop_at_once(void *arg)
{
	(void) arg;
	return true;
}

static void
test_stop(void)
{
	SpContext	cx;
	SpTestRegion region;
	SpTokens   *tokens;
	SpToken		token;
	SpStatus	status = SP_OK;
	static char zeros[100000];
	int			n = 0;

	sp_test_context(&cx, &region);
	cx.stop = stop_at_once;
	memset(zeros, 'Z', sizeof(zeros));
	memcpy(zeros, "[", 1);
	sp_tokens_open(&cx, SP_TOKENS_UBJSON, zeros, sizeof(zeros), &tokens);
	while (status == SP_OK && n++ < 200000)
		status = sp_tokens_next(tokens, &token);
	ok(status == SP_ERR_CANCELLED && n < 10000, "a cancel within a few thousand tokens");
	sp_test_release_all(&region);
}

int
main(void)
{
	test_json();
	test_json_numbers();
	test_long();
	test_ubjson();
	test_skip();
	test_stop();
	return done_testing();
}
