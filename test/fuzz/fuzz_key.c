/*
 * test/fuzz/fuzz_key.c
 *
 * What callers hand in with API keys: the key, a scope, an action, a resource.
 *
 * The input is a byte for the stage, then these four texts, zero bytes between them.
 */
#include <string.h>

#include "base/sp_key_scope.h"
#include "base/sp_mask.h"
#include "sp_fuzz.h"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Cut off the text up to the next zero byte. */
static SpStr
next_text(const uint8_t **data, size_t *size)
{
	size_t		length = 0;
	SpStr		text = {(const char *) *data, 0};

	while (length < *size && (*data)[length] != 0)
		length++;
	text.size = length;
	*data += length + (length < *size);
	*size -= length + (length < *size);
	return text;
}

static void
check_token(SpStr text)
{
	SpKeyToken	token;
	char		copy[SP_KEY_TOKEN_SIZE];

	if (!sp_key_token_parse(text.data, text.size, &token))
		return;
	if (!sp_key_id_is_valid(token.id, strlen(token.id)) || text.size >= sizeof(copy))
		sp_fuzz_finding("a key without an id");
	memcpy(copy, text.data, text.size);
	if (!sp_mask_tokens(copy, text.size) || sp_has_token(copy, text.size))
		sp_fuzz_finding("a key that is not hidden");
	/* each change of one byte is found */
	for (size_t at = 0; at < text.size; at++)
	{
		memcpy(copy, text.data, text.size);
		copy[at] ^= 1;
		if (sp_key_token_parse(copy, text.size, &token))
			sp_fuzz_finding("a damaged key is taken for one");
	}
}

static bool
begins_with(SpStr text, const char *word)
{
	return text.size >= strlen(word) && memcmp(text.data, word, strlen(word)) == 0;
}

/* Letter by letter up to the wildcard, or to the end; of models up to what follows the name. */
static void
check_covered(SpStr scope, SpStr action, SpStr resource)
{
	SpStr		rest = {scope.data + action.size + 1, scope.size - action.size - 1};
	size_t		same = 0;

	if (memcmp(scope.data, action.data, action.size) != 0 || scope.data[action.size] != ':')
		sp_fuzz_finding("another action is covered");
	if (memchr(resource.data, '*', resource.size) != NULL)
		sp_fuzz_finding("a request with a wildcard is covered");
	while (same < rest.size && same < resource.size && rest.data[same] == resource.data[same])
		same++;
	if (same == rest.size && same == resource.size)
		return;
	if (same == rest.size - 1 && rest.data[same] == '*' && (same == 0 || rest.data[same - 1] == '/') &&
		memchr(resource.data + same, '/', resource.size - same) == NULL && same < resource.size)
		return;
	if (begins_with(rest, "model/") &&
		((same == rest.size && resource.data[same] == '@') ||
		 (same == resource.size && rest.data[same] == '@')))
		return;
	sp_fuzz_finding("a request is covered that differs at byte %zu", same);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	SpKeyStage	stage;
	SpStr		token;
	SpStr		scope;
	SpStr		action;
	SpStr		resource;
	SpScope		parts;

	if (size == 0)
		return 0;
	stage = (SpKeyStage) (*data++ % SP_N_KEY_STAGES);
	size--;
	token = next_text(&data, &size);
	scope = next_text(&data, &size);
	action = next_text(&data, &size);
	resource = next_text(&data, &size);
	check_token(token);
	if (sp_scope_parse(scope, stage, &parts) == SP_SCOPE_GOOD)
	{
		if (parts.action.size + 1 + parts.resource.size != scope.size)
			sp_fuzz_finding("a scope is more than its parts");
		/* what it names is covered, unless it is a wildcard or an alias of the application's */
		if (memchr(scope.data, '*', scope.size) == NULL &&
			(parts.model.size == 0 || memchr(parts.model.data, '@', parts.model.size) != NULL) &&
			!sp_scope_covers(scope, stage, parts.action, parts.resource))
			sp_fuzz_finding("a scope does not cover what it names");
	}
	if (sp_scope_covers(scope, stage, action, resource))
		check_covered(scope, action, resource);
	return 0;
}
