/*
 * test/unit/test_key_scope.c
 *
 * Scopes of API keys: what is one, and which requests one covers.
 */
#include <string.h>

#include "base/sp_key_scope.h"
#include "sp_test.h"

#define is_int(got, expected, ...) ok((got) == (expected), __VA_ARGS__)

#define LIVE SP_KEY_PRODUCTION
#define STG SP_KEY_STAGING

static SpStr
str(const char *text)
{
	return (SpStr) {text, strlen(text)};
}

static const struct
{
	const char *text;
	SpScopeFault fault;
}			scopes[] = {
	{"predict:model/motion@production", SP_SCOPE_GOOD},
	{"predict:model/motion", SP_SCOPE_GOOD},
	{"predict:model/motion:7", SP_SCOPE_GOOD},
	{"predict:model/motion@champion", SP_SCOPE_GOOD},
	{"predict:model/*", SP_SCOPE_GOOD},
	{"read:metrics", SP_SCOPE_GOOD},
	{"read:*", SP_SCOPE_GOOD},
	{"see_2:orders/north/*", SP_SCOPE_GOOD},
	{"", SP_SCOPE_NO_ACTION},
	{":", SP_SCOPE_NO_ACTION},
	{"predict", SP_SCOPE_NO_ACTION},
	{":model/motion", SP_SCOPE_NO_ACTION},
	{"*:model/motion", SP_SCOPE_NO_ACTION},
	{"Predict:model/motion", SP_SCOPE_NO_ACTION},
	{"pre dict:model/motion", SP_SCOPE_NO_ACTION},
	{"2predict:model/motion", SP_SCOPE_NO_ACTION},
	{"_predict:model/motion", SP_SCOPE_NO_ACTION},
	{"predict:", SP_SCOPE_EMPTY_SEGMENT},
	{"predict:/", SP_SCOPE_EMPTY_SEGMENT},
	{"predict:/model/motion", SP_SCOPE_EMPTY_SEGMENT},
	{"predict:model/", SP_SCOPE_EMPTY_SEGMENT},
	{"predict:model//motion", SP_SCOPE_EMPTY_SEGMENT},
	{"predict:model/motion/", SP_SCOPE_EMPTY_SEGMENT},
	{"predict:*/motion", SP_SCOPE_WILDCARD},
	{"predict:model/*/x", SP_SCOPE_WILDCARD},
	{"predict:model/mo*", SP_SCOPE_WILDCARD},
	{"predict:model/*n", SP_SCOPE_WILDCARD},
	{"predict:model/**", SP_SCOPE_WILDCARD},
	{"predict:model/*@production", SP_SCOPE_WILDCARD},
	{"predict:model/motion@*", SP_SCOPE_WILDCARD},
	{"predict:mo\xd0\xbe" "del/motion", SP_SCOPE_CHARACTER},
	{"predict:model/m\xc3\xb6tion", SP_SCOPE_CHARACTER},
	{"predict:model\xe2\x88\x95motion", SP_SCOPE_CHARACTER},
	{"predict:model/mot ion", SP_SCOPE_CHARACTER},
	{"predict:model/motion\n", SP_SCOPE_CHARACTER},
	{"predict:model/m%69otion", SP_SCOPE_CHARACTER},
	{"predict:model/..\\motion", SP_SCOPE_CHARACTER},
	{"predict:model", SP_SCOPE_MODEL},
	{"predict:model/motion/x", SP_SCOPE_MODEL},
	{"predict:model/@production", SP_SCOPE_MODEL},
	{"predict:model/:7", SP_SCOPE_MODEL},
	{"predict:model/motion@staging", SP_SCOPE_OTHER_STAGE},
	{"predict:model/motion@development", SP_SCOPE_OTHER_STAGE}
};

static const struct
{
	const char *scope;
	SpKeyStage	stage;
	const char *action;
	const char *resource;
	bool		covers;
}			requests[] = {
	{"predict:model/a", LIVE, "predict", "model/a", true},
	{"predict:model/a", LIVE, "predict", "model/a@production", true},
	{"predict:model/a@production", LIVE, "predict", "model/a", true},
	{"predict:model/a@production", LIVE, "predict", "model/a@production", true},
	{"predict:model/*", LIVE, "predict", "model/a", true},
	{"predict:model/a", STG, "predict", "model/a@staging", true},
	{"predict:model/*", STG, "predict", "model/a@staging", true},
	{"predict:model/a@staging", STG, "predict", "model/a@staging", true},
	{"predict:model/a@champion", LIVE, "predict", "model/a@champion", true},
	{"predict:model/a:7", LIVE, "predict", "model/a:7", true},
	/* neighbours */
	{"predict:model/a", LIVE, "predict", "model/ab", false},
	{"predict:model/ab", LIVE, "predict", "model/a", false},
	{"predict:model/a", LIVE, "predict", "model/A", false},
	{"predict:model/a", LIVE, "predict", "model/a/b", false},
	{"predict:model/*", LIVE, "predict", "model/a/b", false},
	{"predict:model/a", LIVE, "explain", "model/a", false},
	{"predict:model/a", LIVE, "predic", "model/a", false},
	{"predict:model/a", LIVE, "predicts", "model/a", false},
	{"predict:model/a", LIVE, "predict", "models/a", false},
	{"predict:model/a", LIVE, "predict", "model", false},
	{"predict:model/*", LIVE, "predict", "model", false},
	{"predict:*", LIVE, "predict", "model/a", false},
	/* stages */
	{"predict:model/a", LIVE, "predict", "model/a@staging", false},
	{"predict:model/*", LIVE, "predict", "model/a@staging", false},
	{"predict:model/a", STG, "predict", "model/a", false},
	{"predict:model/*", STG, "predict", "model/a", false},
	{"predict:model/a", STG, "predict", "model/a@production", false},
	/* a scope that was of another stage when it was written */
	{"predict:model/a@production", STG, "predict", "model/a", false},
	/* versions and aliases are named or not covered */
	{"predict:model/a", LIVE, "predict", "model/a:7", false},
	{"predict:model/*", LIVE, "predict", "model/a:7", false},
	{"predict:model/a", LIVE, "predict", "model/a@champion", false},
	{"predict:model/*", LIVE, "predict", "model/a@champion", false},
	{"predict:model/a:7", LIVE, "predict", "model/a", false},
	{"predict:model/a:7", LIVE, "predict", "model/a:77", false},
	{"predict:model/a:7", LIVE, "predict", "model/a:07", false},
	{"predict:model/a:7", LIVE, "predict", "model/b:7", false},
	{"predict:model/a@champion", LIVE, "predict", "model/a", false},
	/* nobody asks with a wildcard, nor for nothing */
	{"predict:model/*", LIVE, "predict", "model/*", false},
	{"read:*", LIVE, "read", "*", false},
	{"read:*", LIVE, "read", "", false},
	{"predict:model/*", LIVE, "predict", "model/", false},
	{"predict:model/*", LIVE, "predict", "model//a", false},
	{"predict:model/*", LIVE, "predict", "model/\xd0\xb0", false},
	{"predict:model/*", LIVE, "", "model/a", false},
	/* what is no scope covers nothing, even itself */
	{"predict:model/*/x", LIVE, "predict", "model/*/x", false},
	{"predict:model/m*", LIVE, "predict", "model/mm", false},
	{"", LIVE, "", "", false},
	/* resources of applications */
	{"see:orders/north/*", LIVE, "see", "orders/north/17", true},
	{"see:orders/north/*", STG, "see", "orders/north/17", true},
	{"see:orders/north/*", LIVE, "see", "orders/south/17", false},
	{"see:orders/north/*", LIVE, "see", "orders/north", false},
	{"see:orders/*", LIVE, "see", "orders/north/17", false},
	{"read:metrics", LIVE, "read", "metrics", true},
	{"read:metrics", LIVE, "read", "metrics/x", false},
	{"read:*", LIVE, "read", "metrics", true},
	{"see:a:b/c@d", LIVE, "see", "a:b/c@d", true}
};

static void
test_long(void)
{
	char		text[10001];

	memset(text, 'a', sizeof(text));
	memcpy(text, "see:", 4);
	is_int(sp_scope_parse((SpStr) {text, SP_SCOPE_BYTES}, LIVE, NULL), SP_SCOPE_GOOD, "the longest");
	is_int(sp_scope_parse((SpStr) {text, SP_SCOPE_BYTES + 1}, LIVE, NULL), SP_SCOPE_TOO_LONG, "a byte more");
	is_int(sp_scope_parse((SpStr) {text, sizeof(text) - 1}, LIVE, NULL), SP_SCOPE_TOO_LONG, "10 kB");
	ok(!sp_scope_covers(str("see:*"), LIVE, str("see"), (SpStr) {text + 4, 9000}), "a request of 9 kB");
	is_int(sp_scope_parse((SpStr) {"see:a\0b", 7}, LIVE, NULL), SP_SCOPE_CHARACTER, "a zero byte");
	ok(!sp_scope_covers(str("see:*"), LIVE, str("see"), (SpStr) {NULL, 0}), "no request");
}

int
main(void)
{
	SpScope		parts;

	for (size_t i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++)
		is_int(sp_scope_parse(str(scopes[i].text), LIVE, NULL), scopes[i].fault, "scope \"%s\": %s",
			   scopes[i].text, sp_scope_fault(scopes[i].fault));
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++)
		ok(sp_scope_covers(str(requests[i].scope), requests[i].stage, str(requests[i].action),
						   str(requests[i].resource)) == requests[i].covers, "\"%s\" of a key of %s %s %s:%s",
		   requests[i].scope, sp_key_stage_name(requests[i].stage), requests[i].covers ? "covers" : "does not cover",
		   requests[i].action, requests[i].resource);
	is_int(sp_scope_parse(str("promote:model/motion@champion"), LIVE, &parts), SP_SCOPE_GOOD, "parts");
	ok(parts.action.size == 7 && parts.resource.size == 21 && parts.model.size == 15, "of the right sizes");
	is_int(sp_scope_parse(str("read:metrics"), LIVE, &parts), SP_SCOPE_GOOD, "parts");
	ok(parts.model.size == 0, "without a model");
	test_long();
	return done_testing();
}
