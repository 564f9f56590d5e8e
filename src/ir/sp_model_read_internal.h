/*
 * src/ir/sp_model_read_internal.h
 *
 * What the files that read the stored form share.
 */
#ifndef SP_MODEL_READ_INTERNAL_H
#define SP_MODEL_READ_INTERNAL_H

#include "base/sp_bytes.h"
#include "ir/sp_builder.h"
#include "ir/sp_stored.h"

typedef struct SpModelReader
{
	SpContext  *cx;
	SpReader	in;
	SpBuilder  *builder;
	/* scratch for one tree, kept from tree to tree */
	SpNode	   *nodes;
	size_t		nodes_capacity;
	SpLeafWeight *weights;
	size_t		weights_capacity;
	uint32_t   *first_category;
	size_t		first_category_capacity;
	uint32_t   *categories;
	size_t		categories_capacity;
	SpLeafLinear *linear;
	size_t		linear_capacity;
	SpLeafTerm *terms;
	size_t		terms_capacity;
} SpModelReader;

/* sp_model_read_items.c: numbers and texts; arrays come from the context's memory. */
extern SpStatus sp_stored_u32(SpModelReader *reader, uint32_t *number);
/* A number of width bytes; of 0 bytes it is 0. */
extern SpStatus sp_stored_sized(SpModelReader *reader, unsigned width, uint32_t *number);
extern SpStatus sp_stored_number(SpModelReader *reader, bool is_double, double *number);
extern SpStatus sp_stored_numbers(SpModelReader *reader, size_t count, double **numbers);
/* They point into the stored bytes. */
extern SpStatus sp_stored_texts(SpModelReader *reader, uint32_t count, SpStr **texts);
/* Refuse a count of things, each at least size bytes long, that cannot all follow. */
extern SpStatus sp_stored_count(SpModelReader *reader, uint64_t count, size_t size);

/* sp_model_read_trees.c: the content of a step of trees over value in. */
extern SpStatus sp_stored_trees(SpModelReader *reader, uint32_t in, uint32_t *value);
extern void sp_stored_trees_free(SpModelReader *reader);

#endif
