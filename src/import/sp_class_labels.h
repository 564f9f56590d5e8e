/*
 * src/import/sp_class_labels.h
 *
 * Labels of models whose file has none: classes are numbered.
 */
#ifndef SP_CLASS_LABELS_H
#define SP_CLASS_LABELS_H

#include "ir/sp_builder.h"

/* Give the builder the labels 0 to n_classes - 1. */
extern SpStatus sp_numbered_labels(SpContext *cx, SpBuilder *builder, uint32_t n_classes);

#endif
