/*
 * src/ir/sp_image.h
 *
 * The packed image: one flat, position-independent block that kernels run on.
 * All references are byte offsets from its start, so it can live in shared
 * memory.  It is made from a validated model (sp_pack.h) and never stored: its
 * layout may change with every build, which SP_IMAGE_VERSION tells apart.
 */
#ifndef SP_IMAGE_H
#define SP_IMAGE_H

#include "ir/sp_model.h"

#define SP_IMAGE_MAGIC 0x53504d49	/* "SPMI" */
#define SP_IMAGE_VERSION 5
#define SP_IMAGE_ALIGN 64

typedef struct SpImageFeature
{
	uint32_t	name;			/* offset of a zero-terminated string */
	uint32_t	type;			/* SpType */
	uint32_t	input;
	uint32_t	column;
	uint8_t		kind;			/* SpCategoryKind */
	uint8_t		unseen;			/* SpUnseen: what becomes of a text that is not in the list */
	uint8_t		unseen_number;	/* likewise of a number */
	uint8_t		has_default;
	uint32_t	accepts_missing;
	uint32_t	n_categories;
	uint32_t	reserved;
	uint64_t	categories;		/* offset of SpImageCategory[] by bytes, or of SpImageNumber[] ascending */
	double		default_value;
} SpImageFeature;

typedef struct SpImageValue
{
	uint32_t	type;			/* SpType */
	uint32_t	width;
	uint64_t	row_bytes;		/* width * size of the type */
} SpImageValue;

typedef struct SpImageStep
{
	uint32_t	op;				/* SpOp */
	uint32_t	in;				/* of several, the first */
	uint32_t	out;
	uint32_t	needed_by;		/* bit o: output o depends on this step */
	uint64_t	params;			/* offset of the op's parameters (sp_pack.h) */
} SpImageStep;

typedef struct SpImageCategory
{
	uint32_t	text;			/* offset of a zero-terminated string */
	uint32_t	number;
} SpImageCategory;

typedef struct SpImageNumber
{
	double		value;
	uint32_t	number;
	uint32_t	reserved;
} SpImageNumber;

typedef struct SpImage
{
	uint32_t	magic;
	uint32_t	version;
	uint64_t	size;			/* bytes of the whole image */
	uint64_t	checksum;		/* over everything after this field */
	uint32_t	task;			/* SpTask */
	uint32_t	label_type;		/* SpType */
	uint8_t		accepts_infinite;
	uint8_t		on_missing;		/* SpMissing */
	uint8_t		on_unseen;		/* SpUnseen */
	uint8_t		maps_numbers;	/* numbers of some feature are not stored as they come */
	uint8_t		reserved[4];
	uint32_t	n_features;
	uint32_t	n_inputs;
	uint32_t	n_values;
	uint32_t	n_steps;
	uint32_t	n_labels;
	uint32_t	outputs[SP_N_OUTPUTS];
	uint64_t	features;		/* offset of SpImageFeature[n_features] */
	uint64_t	values;			/* offset of SpImageValue[n_values] */
	uint64_t	steps;			/* offset of SpImageStep[n_steps] */
	uint64_t	labels;			/* offset of uint32_t[n_labels]: offsets of strings */
	uint64_t	categories;		/* offset of SpImageCategory[n_categories], sorted by their bytes */
	uint32_t	n_categories;
	uint32_t	reserved2;
} SpImage;

static inline const void *
sp_image_at(const SpImage *image, uint64_t offset)
{
	return (const char *) image + offset;
}

static inline const SpImageFeature *
sp_image_features(const SpImage *image)
{
	return (const SpImageFeature *) sp_image_at(image, image->features);
}

static inline const SpImageValue *
sp_image_values(const SpImage *image)
{
	return (const SpImageValue *) sp_image_at(image, image->values);
}

static inline const SpImageStep *
sp_image_steps(const SpImage *image)
{
	return (const SpImageStep *) sp_image_at(image, image->steps);
}

/* A mask of 1 << SpOutput of the outputs that the model has. */
static inline uint32_t
sp_image_outputs(const SpImage *image)
{
	uint32_t	mask = 0;

	for (int output = 0; output < SP_N_OUTPUTS; output++)
		if (image->outputs[output] != SP_NO_VALUE)
			mask |= UINT32_C(1) << output;
	return mask;
}

static inline const char *
sp_image_string(const SpImage *image, uint32_t offset)
{
	return (const char *) sp_image_at(image, offset);
}

static inline const char *
sp_image_label(const SpImage *image, uint32_t label)
{
	const uint32_t *labels = (const uint32_t *) sp_image_at(image, image->labels);

	return sp_image_string(image, labels[label]);
}

/*
 * The number of a string in inputs of type STRING, or -1 for one that the
 * model does not know (then the model's own rule for unseen categories holds).
 */
extern int64_t sp_image_category(const SpImage *image, const char *utf8, size_t size);

/* The place of a text in the list of a feature, or of a number; -1 if it is not there. */
extern int64_t sp_image_find_text(const SpImage *image, const SpImageFeature *feature,
								  const char *utf8, size_t size);
extern int64_t sp_image_find_number(const SpImage *image, const SpImageFeature *feature, double number);

/* Magic, version, size and checksum; for images that crossed memory we do not own. */
extern bool sp_image_is_valid(const SpImage *image, size_t size);

#endif
