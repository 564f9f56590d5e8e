/*
 * src/base/sp_key_scope.c
 */
#include <string.h>

#include "base/sp_key_scope.h"

#define MODEL "model"

static const SpStr wildcard = {"*", 1};

static bool
equal(SpStr a, SpStr b)
{
	return a.size == b.size && memcmp(a.data, b.data, a.size) == 0;
}

static bool
is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool
is_action(SpStr text)
{
	for (size_t i = 0; i < text.size; i++)
	{
		char		c = text.data[i];

		if (!((c >= 'a' && c <= 'z') || (i > 0 && ((c >= '0' && c <= '9') || c == '_'))))
			return false;
	}
	return text.size > 0;
}

static bool
is_segment_char(char c)
{
	return is_letter(c) || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-' || c == '@' || c == ':';
}

/* Cut the first segment off; false when there is none left. */
static bool
next_segment(SpStr *rest, SpStr *segment)
{
	size_t		length = 0;

	if (rest->data == NULL)
		return false;
	while (length < rest->size && rest->data[length] != '/')
		length++;
	*segment = (SpStr) {rest->data, length};
	*rest = length == rest->size ? (SpStr) {NULL, 0} :
		(SpStr) {rest->data + length + 1, rest->size - length - 1};
	return true;
}

/* Is text segments, with a wildcard at most where it may be? */
static SpScopeFault
check_resource(SpStr text, bool may_be_wild)
{
	SpStr		rest = text;
	SpStr		segment;

	while (next_segment(&rest, &segment))
	{
		if (segment.size == 0)
			return SP_SCOPE_EMPTY_SEGMENT;
		if (equal(segment, wildcard) && may_be_wild && rest.data == NULL)
			return SP_SCOPE_GOOD;
		for (size_t i = 0; i < segment.size; i++)
		{
			if (segment.data[i] == '*')
				return SP_SCOPE_WILDCARD;
			if (!is_segment_char(segment.data[i]))
				return SP_SCOPE_CHARACTER;
		}
	}
	return SP_SCOPE_GOOD;
}

/*
 * The segment that names the model, empty for resources of other kinds; false for
 * model/ with none or several.
 */
static bool
model_of(SpStr resource, SpStr *model)
{
	SpStr		rest = resource;
	SpStr		first = SP_STR("");

	*model = SP_STR("");
	(void) next_segment(&rest, &first);
	if (!equal(first, SP_STR(MODEL)))
		return true;
	return next_segment(&rest, model) && rest.data == NULL;
}

/* A model's name, and what follows it with its '@' or ':'; empty if nothing does. */
static void
split_model(SpStr model, SpStr *name, SpStr *target)
{
	size_t		length = 0;

	while (length < model.size && model.data[length] != '@' && model.data[length] != ':')
		length++;
	*name = (SpStr) {model.data, length};
	*target = (SpStr) {model.data + length, model.size - length};
}

/* Is it '@' and one of the four stages? */
static bool
is_stage(SpStr target, SpKeyStage *stage)
{
	return target.size > 0 && target.data[0] == '@' &&
		sp_key_stage_find(target.data + 1, target.size - 1, stage);
}

SpScopeFault
sp_scope_parse(SpStr text, SpKeyStage stage, SpScope *parts)
{
	const char *colon = text.size > 0 ? memchr(text.data, ':', text.size) : NULL;
	SpScopeFault fault;
	SpScope		scope;
	SpStr		name;
	SpStr		target;
	SpKeyStage	named;

	if (text.size > SP_SCOPE_BYTES)
		return SP_SCOPE_TOO_LONG;
	if (colon == NULL)
		return SP_SCOPE_NO_ACTION;
	scope.action = (SpStr) {text.data, (size_t) (colon - text.data)};
	scope.resource = (SpStr) {colon + 1, text.size - scope.action.size - 1};
	if (!is_action(scope.action))
		return SP_SCOPE_NO_ACTION;
	fault = check_resource(scope.resource, true);
	if (fault != SP_SCOPE_GOOD)
		return fault;
	if (!model_of(scope.resource, &scope.model))
		return SP_SCOPE_MODEL;
	split_model(scope.model, &name, &target);
	if (scope.model.size > 0 && name.size == 0)
		return SP_SCOPE_MODEL;
	if (is_stage(target, &named) && named != stage)
		return SP_SCOPE_OTHER_STAGE;
	if (parts != NULL)
		*parts = scope;
	return SP_SCOPE_GOOD;
}

const char *
sp_scope_fault(SpScopeFault fault)
{
	static const char *const texts[] = {
		[SP_SCOPE_GOOD] = "",
		[SP_SCOPE_TOO_LONG] = "It has more than 255 bytes.",
		[SP_SCOPE_NO_ACTION] = "It has no action of lower-case letters before a colon.",
		[SP_SCOPE_CHARACTER] = "It has other characters than letters, digits, \"_\", \".\", \"-\", \"@\", \":\" and \"/\".",
		[SP_SCOPE_EMPTY_SEGMENT] = "It has an empty segment.",
		[SP_SCOPE_WILDCARD] = "A wildcard can only be the whole last segment.",
		[SP_SCOPE_MODEL] = "A resource of models is \"model/\" and one reference.",
		[SP_SCOPE_OTHER_STAGE] = "It names another stage than the key's."
	};

	return texts[fault];
}

/* Does what a scope says of a model cover the one that is asked for? */
static bool
covers_model(SpStr scope, SpKeyStage stage, SpStr asked)
{
	SpStr		name;
	SpStr		target;
	SpStr		asked_name;
	SpStr		asked_target;
	SpKeyStage	named = SP_KEY_PRODUCTION;
	bool		asks_stage;

	split_model(scope, &name, &target);
	split_model(asked, &asked_name, &asked_target);
	if (!equal(name, wildcard) && !equal(name, asked_name))
		return false;
	asks_stage = asked_target.size == 0 || is_stage(asked_target, &named);
	if (asks_stage)
		return named == stage && (target.size == 0 || is_stage(target, &named));
	return equal(target, asked_target);
}

bool
sp_scope_covers(SpStr scope, SpKeyStage stage, SpStr action, SpStr resource)
{
	SpScope		parts;
	SpStr		asked_model;
	SpStr		rest;
	SpStr		asked = resource;
	SpStr		segment;
	SpStr		asked_segment;

	if (sp_scope_parse(scope, stage, &parts) != SP_SCOPE_GOOD ||
		resource.size == 0 || resource.size > SP_SCOPE_BYTES ||
		!equal(parts.action, action) || check_resource(resource, false) != SP_SCOPE_GOOD ||
		!model_of(resource, &asked_model))
		return false;
	if (asked_model.size > 0 || parts.model.size > 0)
		return asked_model.size > 0 && parts.model.size > 0 && covers_model(parts.model, stage, asked_model);
	rest = parts.resource;
	while (next_segment(&rest, &segment))
	{
		if (!next_segment(&asked, &asked_segment) ||
			!(equal(segment, wildcard) || equal(segment, asked_segment)))
			return false;
	}
	return asked.data == NULL;
}
