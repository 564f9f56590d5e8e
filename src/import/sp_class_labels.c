/*
 * src/import/sp_class_labels.c
 *
 * Labels of models whose file has none.
 */
#include <stdio.h>

#include "import/sp_class_labels.h"

/* digits of a label and its zero byte */
#define SP_LABEL_SIZE 12

SpStatus
sp_numbered_labels(SpContext *cx, SpBuilder *builder, uint32_t n_classes)
{
	void	   *memory;
	char	   *text;
	SpStr	   *labels;
	uint32_t	i;

	/* checked before the builder does, because memory is taken here */
	if (n_classes > cx->limits.max_labels)
		return sp_fail_limit(cx, "max_labels", "%u classes are more than the limit of %u",
							 n_classes, cx->limits.max_labels);
	SP_TRY(sp_alloc_array(cx, n_classes, SP_LABEL_SIZE, &memory));
	text = memory;
	SP_TRY(sp_alloc_array(cx, n_classes, sizeof(SpStr), &memory));
	labels = memory;
	for (i = 0; i < n_classes; i++)
	{
		char	   *label = text + (size_t) i * SP_LABEL_SIZE;

		labels[i].data = label;
		labels[i].size = (size_t) snprintf(label, SP_LABEL_SIZE, "%u", i);
	}
	SP_TRY(sp_builder_labels(builder, SP_TYPE_I64, labels, n_classes));
	sp_free(cx, labels);
	sp_free(cx, text);
	return SP_OK;
}
