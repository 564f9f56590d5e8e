/*
 * src/import/sp_import.c
 *
 * Formats: their names, what a file's first bytes look like, dispatch.
 */
#include <string.h>

#include "base/sp_tokens.h"
#include "base/sp_wire.h"
#include "import/sp_import.h"

typedef struct SpFormatName
{
	SpFormat	format;
	const char *name;
} SpFormatName;

static const SpFormatName sp_format_names[] = {
	{SP_FORMAT_XGBOOST_JSON, "xgboost_json"},
	{SP_FORMAT_XGBOOST_UBJ, "xgboost_ubj"},
	{SP_FORMAT_ONNX, "onnx"},
	{SP_FORMAT_LIGHTGBM, "lightgbm"},
	{SP_FORMAT_CATBOOST_JSON, "catboost_json"},
};

#define SP_N_FORMATS (sizeof(sp_format_names) / sizeof(sp_format_names[0]))

/* A format that is recognised by its first bytes and refused. */
typedef struct SpRefused
{
	const char *bytes;
	size_t		size;
	const char *what;
	const char *hint;
} SpRefused;

#define SP_BYTES(literal) (literal), sizeof(literal) - 1

#define SP_HINT_PICKLE \
	"Pickle files can run code, so they are never read. Save XGBoost models with save_model('model.ubj'), " \
	"convert scikit-learn models to ONNX with skl2onnx."
#define SP_HINT_COMPRESSED \
	"Uncompress the file first. (A compressed joblib file cannot be read: convert the model to ONNX with skl2onnx.)"
#define SP_HINT_NETWORK "Supported are XGBoost (JSON, UBJSON), LightGBM (text), CatBoost (JSON) and ONNX models."
#define SP_HINT_XGBOOST "Load the model in XGBoost 1.6 to 3.0 and save it with save_model('model.ubj')."
#define SP_HINT_LIGHTGBM "Save the model with Booster.save_model('model.txt')."
#define SP_HINT_CATBOOST "Save the model with save_model('model.json', format='json')."

static const SpRefused sp_refused[] = {
	{SP_BYTES("\x80\x02"), "a pickle or joblib file", SP_HINT_PICKLE},
	{SP_BYTES("\x80\x03"), "a pickle or joblib file", SP_HINT_PICKLE},
	{SP_BYTES("\x80\x04"), "a pickle or joblib file", SP_HINT_PICKLE},
	{SP_BYTES("\x80\x05"), "a pickle or joblib file", SP_HINT_PICKLE},
	{SP_BYTES("ccopy_reg\n"), "a pickle or joblib file", SP_HINT_PICKLE},
	{SP_BYTES("\x1f\x8b"), "a gzip file", SP_HINT_COMPRESSED},
	{SP_BYTES("\x78\x01"), "a zlib file", SP_HINT_COMPRESSED},
	{SP_BYTES("\x78\x5e"), "a zlib file", SP_HINT_COMPRESSED},
	{SP_BYTES("\x78\x9c"), "a zlib file", SP_HINT_COMPRESSED},
	{SP_BYTES("\x78\xda"), "a zlib file", SP_HINT_COMPRESSED},
	{SP_BYTES("BZh"), "a bzip2 file", SP_HINT_COMPRESSED},
	{SP_BYTES("\xfd" "7zXZ"), "an xz file", SP_HINT_COMPRESSED},
	{SP_BYTES("\x28\xb5\x2f\xfd"), "a zstd file", SP_HINT_COMPRESSED},
	{SP_BYTES("\x04\x22\x4d\x18"), "an lz4 file", SP_HINT_COMPRESSED},
	{SP_BYTES("PK\x03\x04"), "a zip archive (as PyTorch, Keras or skops write)", SP_HINT_NETWORK},
	{SP_BYTES("\x89HDF\r\n"), "an HDF5 file (as Keras writes)", SP_HINT_NETWORK},
	{SP_BYTES("binf"), "an XGBoost model in the deprecated binary format", SP_HINT_XGBOOST},
	{SP_BYTES("bs64\t"), "an XGBoost model in the deprecated binary format", SP_HINT_XGBOOST},
	{SP_BYTES("CONFIG-offset:"), "an XGBoost memory snapshot", SP_HINT_XGBOOST},
	{SP_BYTES("booster["), "a text dump of an XGBoost model, without the model's parameters",
	"Save the model with save_model('model.ubj')."},
	{SP_BYTES("CBM1"), "a CatBoost file", SP_HINT_CATBOOST},
	{SP_BYTES("<?xml"), "an XML file (as PMML)", SP_HINT_NETWORK},
	{SP_BYTES("<PMML"), "a PMML file", SP_HINT_NETWORK},
};

const char *
sp_format_name(SpFormat format)
{
	size_t		i;

	for (i = 0; i < SP_N_FORMATS; i++)
	{
		if (sp_format_names[i].format == format)
			return sp_format_names[i].name;
	}
	return "unknown";
}

SpFormat
sp_format_by_name(SpStr name)
{
	size_t		i;

	for (i = 0; i < SP_N_FORMATS; i++)
	{
		if (sp_str_is(name, sp_format_names[i].name))
			return sp_format_names[i].format;
	}
	return SP_FORMAT_UNKNOWN;
}

static SpStatus
sp_refuse_format(SpContext *cx, const char *what, const char *hint)
{
	sp_fail(cx, SP_ERR_UNSUPPORTED, "this is %s, which cannot be imported", what);
	return sp_fail_hint(cx, "%s", hint);
}

/*
 * XGBoost's binary format without a mark: 136 bytes of parameters, then the
 * length and the text of the objective's name (xgboost src/learner.cc of 1.x,
 * LearnerModelParamLegacy).
 */
static bool
sp_is_old_xgboost(const uint8_t *bytes, size_t size)
{
	static const char *const prefixes[] = {"reg:", "binary:", "multi:", "rank:", "count:", "survival:"};
	size_t		i;

	if (size < 136 + 8 + 16 || bytes[136] > 64 || bytes[137] != 0 || bytes[143] != 0)
		return false;
	for (i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++)
	{
		if (memcmp(bytes + 144, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

/* A JSON object, told by the name of its first member where another library wrote it. */
static SpStatus
sp_detect_json(SpContext *cx, const void *bytes, size_t size, SpFormat *format)
{
	static const char *const catboost[] = {"features_info", "model_info", "oblivious_trees", "ctr_data", "scale_and_bias"};
	SpTokens   *tokens;
	SpToken		token;
	size_t		i;

	SP_TRY(sp_tokens_open(cx, SP_TOKENS_JSON, bytes, size, &tokens));
	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind == SP_TOKEN_ARRAY)
		return sp_refuse_format(cx, "a JSON array (as XGBoost's dump_model writes, without the model's parameters)",
								"Save the model with save_model('model.json').");
	SP_TRY(sp_tokens_next(tokens, &token));
	if (token.kind == SP_TOKEN_KEY)
	{
		for (i = 0; i < sizeof(catboost) / sizeof(catboost[0]); i++)
		{
			if (sp_str_is(token.text, catboost[i]))
			{
				sp_tokens_close(tokens);
				*format = SP_FORMAT_CATBOOST_JSON;
				return SP_OK;
			}
		}
		if (sp_str_is(token.text, "name") || sp_str_is(token.text, "tree_info"))
			return sp_refuse_format(cx, "a LightGBM JSON dump", SP_HINT_LIGHTGBM);
	}
	sp_tokens_close(tokens);
	*format = SP_FORMAT_XGBOOST_JSON;
	return SP_OK;
}

static bool
sp_is_json_space(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r';
}

/*
 * ONNX has no mark: take what reads as the fields of a ModelProto.  A file
 * that is cut off still begins with the version of its representation.
 */
static bool
sp_is_onnx(SpContext *cx, const uint8_t *bytes, size_t size)
{
	const uint64_t known = UINT64_C(1) << 1 | 1 << 2 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 |
		1 << 8 | 1 << 14 | 1 << 20 | 1 << 25 | 1 << 26;
	SpContext	quiet = *cx;
	SpReader	reader;
	SpWireField field;
	bool		has_graph = false;

	if (size >= 2 && bytes[0] == 0x08 && bytes[1] > 0 && bytes[1] < 0x20)
		return true;
	sp_reader_init(&reader, &quiet, bytes, size);
	while (reader.pos < size)
	{
		if (sp_wire_next(&reader, &field) != SP_OK || field.number > 26 ||
			!(known >> field.number & 1))
			return false;
		has_graph = has_graph || (field.number == 7 && field.type == SP_WIRE_BYTES);
	}
	return has_graph;
}

static bool
sp_is_lightgbm(const uint8_t *bytes, size_t size)
{
	return (size >= 13 && memcmp(bytes, "tree\nversion=", 13) == 0) ||
		(size >= 14 && memcmp(bytes, "tree\r\nversion=", 14) == 0);
}

SpStatus
sp_detect_format(SpContext *cx, const void *bytes, size_t size, SpFormat *format)
{
	const uint8_t *data = bytes;
	size_t		start = 0;
	size_t		i;

	*format = SP_FORMAT_UNKNOWN;
	if (size == 0)
		return sp_fail(cx, SP_ERR_FORMAT, "the model file is empty");
	for (i = 0; i < sizeof(sp_refused) / sizeof(sp_refused[0]); i++)
	{
		if (size >= sp_refused[i].size && memcmp(data, sp_refused[i].bytes, sp_refused[i].size) == 0)
			return sp_refuse_format(cx, sp_refused[i].what, sp_refused[i].hint);
	}
	while (start < size && sp_is_json_space(data[start]))
		start++;
	if (start < size && (data[start] == '[' || data[start] == '{'))
	{
		/* in UBJSON a marker of a length or a container's type follows at once */
		if (start == 0 && size > 1 && data[0] == '{' && data[1] != 0 && strchr("iUIlLN$#", data[1]))
		{
			*format = SP_FORMAT_XGBOOST_UBJ;
			return SP_OK;
		}
		return sp_detect_json(cx, bytes, size, format);
	}
	if (sp_is_lightgbm(data, size))
	{
		*format = SP_FORMAT_LIGHTGBM;
		return SP_OK;
	}
	if (sp_is_onnx(cx, data, size))
	{
		*format = SP_FORMAT_ONNX;
		return SP_OK;
	}
	if (sp_is_old_xgboost(data, size))
		return sp_refuse_format(cx, "an XGBoost model in the deprecated binary format", SP_HINT_XGBOOST);
	sp_fail(cx, SP_ERR_FORMAT, "the format of the model file is not recognized");
	return sp_fail_hint(cx, SP_HINT_NETWORK " What is imported are the bytes of the file, not its path.");
}

SpStatus
sp_import(SpContext *cx, SpFormat format, const void *bytes, size_t size,
		  const SpOverrides *overrides, SpFormat *used, SpModel **model)
{
	*model = NULL;
	*used = format;
	if (format == SP_FORMAT_UNKNOWN)
		SP_TRY(sp_detect_format(cx, bytes, size, used));
	switch (*used)
	{
		case SP_FORMAT_XGBOOST_JSON:
		case SP_FORMAT_XGBOOST_UBJ:
			return sp_import_xgboost(cx, *used, bytes, size, overrides, model);
		case SP_FORMAT_CATBOOST_JSON:
			return sp_import_catboost(cx, bytes, size, overrides, model);
		case SP_FORMAT_LIGHTGBM:
			return sp_import_lightgbm(cx, bytes, size, overrides, model);
		case SP_FORMAT_ONNX:
			if (overrides && (overrides->first_iteration > 0 || overrides->n_iterations > 0 ||
							  overrides->best_iteration))
				return sp_fail(cx, SP_ERR_VALUE, "an ONNX model has no iterations to choose from");
			return sp_import_onnx(cx, bytes, size, overrides, model);
		default:
			return sp_fail(cx, SP_ERR_INTERNAL, "unknown model format %d", (int) *used);
	}
}
