/*
 * src/import/sp_import_onnx.c
 *
 * ONNX models of tree ensembles and linear models, as skl2onnx, onnxmltools
 * and CatBoost write them.
 */
#include <stdio.h>
#include <string.h>

#include "import/sp_import.h"
#include "import/sp_onnx_internal.h"

/* A text if it is one line; CatBoost's "version" is a page about its build. */
static SpStr
sp_onnx_line(ProtobufCBinaryData data)
{
	SpStr		text = sp_onnx_str(data);

	if (text.size > 100 || !sp_str_is_text(text))
		text.size = 0;
	return text;
}

static SpStatus
sp_onnx_origin(SpOnnx *onnx)
{
	char		producer[256];
	SpStr		name = sp_onnx_line(onnx->model->producer_name);
	SpStr		version = sp_onnx_line(onnx->model->producer_version);
	int			length = snprintf(producer, sizeof(producer), "%.*s%s%.*s",
								  (int) name.size, name.size > 0 ? name.data : "",
								  name.size > 0 && version.size > 0 ? " " : "",
								  (int) version.size, version.size > 0 ? version.data : "");

	return sp_builder_origin(onnx->builder, (SpStr) {producer, (size_t) length},
							 onnx->estimator ? sp_onnx_str(onnx->estimator->op_type) : SP_STR(""));
}

static SpStatus
sp_onnx_facts(SpOnnx *onnx)
{
	bool		is_classifier = onnx->label != SP_NO_VALUE;

	if (is_classifier)
		SP_TRY(sp_builder_labels(onnx->builder, onnx->label_type, onnx->labels, onnx->n_labels));
	SP_TRY(sp_builder_task(onnx->builder, onnx->task, false));
	return sp_onnx_origin(onnx);
}

SpStatus
sp_import_onnx(SpContext *cx, const void *bytes, size_t size, const SpOverrides *overrides,
			   SpModel **model)
{
	SpOnnx		onnx = {0};
	ProtobufCMessage *message;
	SpOnnx__ModelProto *unpacked;

	SP_TRY(sp_onnx_unpack(cx, &sp_onnx__model_proto__descriptor, bytes, size, &message));
	unpacked = (SpOnnx__ModelProto *) message;
	if (unpacked->n_functions > 0)
	{
		sp_fail(cx, SP_ERR_UNSUPPORTED, "ONNX models with functions of their own are not supported");
		return sp_fail_hint(cx, "Put their nodes in place of the calls: onnx.inliner.inline_local_functions(model).");
	}
	onnx.cx = cx;
	onnx.model = unpacked;
	onnx.overrides = overrides;
	onnx.task = SP_TASK_REGRESSION;
	onnx.raw = SP_NO_VALUE;
	onnx.label = SP_NO_VALUE;
	SP_TRY(sp_builder_new(cx, &onnx.builder));
	SP_TRY(sp_onnx_graph(&onnx));
	SP_TRY(sp_onnx_facts(&onnx));
	return sp_builder_finish(onnx.builder, overrides, model);
}
