/*
 * src/auth/sp_key_permission.c
 */
#include "server/sp_compat.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "auth/sp_key_permission.h"
#include "auth/sp_key_verify.h"
#include "auth/sp_permission.h"
#include "server/sp_role.h"

#define MODEL_PREFIX "model/"

static SpStr
text_str(Datum datum)
{
	text	   *value = DatumGetTextPP(datum);

	return (SpStr) {VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value)};
}

static bool
is(SpStr text, const char *word)
{
	return strlen(word) == text.size && memcmp(text.data, word, text.size) == 0;
}

/* The right on a model (SP_MAY_...) that an action takes. */
static uint32
model_right(SpStr action)
{
	if (is(action, "predict") || is(action, "explain"))
		return SP_MAY_PREDICT;
	if (is(action, "promote"))
		return SP_MAY_DEPLOY;
	if (is(action, "read"))
		return SP_MAY_READ;
	return SP_MAY_SEE;
}

/* The right on everything that a request or scope without a model takes; 0: none. */
static uint32
general_right(SpStr action, SpStr resource)
{
	if (is(action, "run") || is(action, "admin"))
		return SP_MAY_OWN;
	if (is(action, "read") && (is(resource, "metrics") || is(resource, "*")))
		return SP_MAY_SEE;
	return 0;
}

/* Of a resource model/REFERENCE; false for what is none. */
static bool
model_reference(SpStr resource, SpReference *reference)
{
	Size		length = strlen(MODEL_PREFIX);

	return resource.size > length && memcmp(resource.data, MODEL_PREFIX, length) == 0 &&
		sp_reference_try(reference, resource.data + length, resource.size - length);
}

/* Does it ask for a model in one of the four stages that is not the key's? */
static bool
is_of_other_stage(const SpApiKeyRow *row, SpStr resource)
{
	SpReference reference;
	SpKeyStage	stage;

	return model_reference(resource, &reference) && reference.version == 0 &&
		sp_key_stage_find(reference.target, strlen(reference.target), &stage) && stage != row->stage;
}

bool
sp_key_covers(const SpApiKeyRow *row, SpStr action, SpStr resource, SpRefusalReason *reason)
{
	Datum	   *scopes;
	bool	   *nulls;
	int			count;
	bool		covered = false;

	deconstruct_array(row->scopes, TEXTOID, -1, false, TYPALIGN_INT, &scopes, &nulls, &count);
	for (int i = 0; i < count && !covered; i++)
		covered = !nulls[i] && sp_scope_covers(text_str(scopes[i]), row->stage, action, resource);
	pfree(scopes);
	pfree(nulls);
	if (!covered)
		*reason = is_of_other_stage(row, resource) ? SP_REFUSED_STAGE : SP_REFUSED_SCOPE;
	return covered;
}

bool
sp_key_creator_may(const SpApiKeyRow *row, SpStr action, const SpModelRow *model)
{
	return sp_role_exists(row->creator_oid, row->creator_cluster) &&
		(sp_permission_of(row->creator_oid, &model->id, model->owner_oid, model->owner_cluster) &
		 model_right(action)) != 0;
}

bool
sp_key_may(const SpApiKeyRow *row, SpStr action, SpStr resource, SpRefusalReason *reason)
{
	SpReference reference;
	SpModelRow	model;
	uint32		right = general_right(action, resource);

	if (!sp_key_covers(row, action, resource, reason))
		return false;
	*reason = SP_REFUSED_CREATOR;
	if (resource.size >= strlen(MODEL_PREFIX) && memcmp(resource.data, MODEL_PREFIX, strlen(MODEL_PREFIX)) == 0)
		return model_reference(resource, &reference) &&
			sp_registry_find_model(reference.model, NULL, &model) && sp_key_creator_may(row, action, &model);
	return right == 0 ||
		(sp_role_exists(row->creator_oid, row->creator_cluster) && (sp_permission_any(row->creator_oid) & right) != 0);
}

/* ---- when a key is made ---- */

static void SP_NORETURN
refuse_scope(int number, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("scope %d is none that a key can have", number),
			 errdetail("%s", why),
			 errhint("A scope is an action and a resource, such as predict:model/motion@production, predict:model/* or read:metrics.")));
}

static void SP_NORETURN
refuse_creator(int number, Oid creator)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("scope %d is more than the key's creator may do", number),
			 errdetail("Role \"%s\" lacks the privilege or level of access that it takes.",
					   GetUserNameFromId(creator, false))));
}

/* Of a scope that names a model. */
static void
check_model(int number, const SpScope *scope, Oid creator)
{
	SpReference reference;
	SpModelRow	model;

	if (!sp_reference_try(&reference, scope->model.data, scope->model.size))
		refuse_scope(number, "Its model is no reference to one.");
	if (!sp_registry_find_model(reference.model, NULL, &model))
		sp_registry_not_found(SP_NO_MODEL, &reference);
	if (!(sp_permission_of(creator, &model.id, model.owner_oid, model.owner_cluster) & model_right(scope->action)))
		refuse_creator(number, creator);
}

static void
check_scope(int number, SpStr text, SpKeyStage stage, Oid creator)
{
	SpScope		scope;
	SpScopeFault fault = sp_scope_parse(text, stage, &scope);
	uint32		right;

	sp_key_refuse_in(text, "a scope");
	if (fault != SP_SCOPE_GOOD)
		refuse_scope(number, sp_scope_fault(fault));
	if (is(scope.model, "*"))
		return;					/* bounds itself at use */
	if (scope.model.size > 0)
	{
		check_model(number, &scope, creator);
		return;
	}
	right = general_right(scope.action, scope.resource);
	if (right != 0 && !(sp_permission_any(creator) & right))
		refuse_creator(number, creator);
}

void
sp_key_check_scopes(ArrayType *scopes, SpKeyStage stage, Oid creator, const char *creator_cluster)
{
	Datum	   *elements;
	bool	   *nulls;
	int			count;

	deconstruct_array(scopes, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &count);
	if (count == 0 || ARR_NDIM(scopes) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("scopes must be an array of one dimension with an element at least")));
	if (count > SP_MAX_SCOPES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a key has at most %d scopes, not %d", SP_MAX_SCOPES, count)));
	if (!sp_role_exists(creator, creator_cluster))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the key's creator is no role of this cluster"),
				 errhint("adopt_api_keys() gives such keys another.")));
	for (int i = 0; i < count; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("element %d of scopes is null", i + 1)));
		check_scope(i + 1, text_str(elements[i]), stage, creator);
	}
}
