/*
 * src/base/sp_status.h
 *
 * Status codes, the error record and the context that pure functions share.
 *
 * A pure function that can fail returns SpStatus and, unless it returns
 * SP_OK, has filled cx->error.  Nothing is thrown.  The server turns the
 * record into ereport in one place (server/sp_error.c).
 */
#ifndef SP_STATUS_H
#define SP_STATUS_H

#include "base/sp_alloc.h"

typedef enum SpStatus
{
	SP_OK = 0,
	SP_ERR_MEMORY,				/* out of memory (53200) */
	SP_ERR_FORMAT,				/* unreadable model file (22P03) */
	SP_ERR_UNSUPPORTED,			/* readable, but a feature we do not have (0A000) */
	SP_ERR_LIMIT,				/* over a configured or structural limit (54000) */
	SP_ERR_VALUE,				/* wrong argument of the caller (22023) */
	SP_ERR_CANCELLED,			/* the stop callback asked for it */
	SP_ERR_INTERNAL				/* a bug of ours (XX000) */
} SpStatus;

#define SP_NO_OFFSET UINT64_MAX

typedef struct SpError
{
	SpStatus	status;
	uint64_t	offset;			/* byte in the model file, or SP_NO_OFFSET */
	char		message[320];	/* lower case, no final period */
	char		detail[320];	/* sentences, may be empty */
	char		hint[320];		/* sentences, may be empty */
} SpError;

/*
 * Limits are checked before memory is allocated for what they bound.
 * sp_limits_default() gives the values that the server's settings start with.
 */
typedef struct SpLimits
{
	uint64_t	max_nodes;		/* tree nodes in one model */
	uint32_t	max_tree_depth; /* splits on one path */
	uint32_t	max_features;	/* features of one model, at most SP_FEATURES_CAP */
	uint32_t	max_labels;		/* classes of one model */
	uint64_t	max_elements;	/* elements of one tensor or weight matrix */
	uint32_t	max_string;		/* bytes of one name or label */
	uint32_t	max_nesting;	/* nested objects and arrays of a file */
	uint64_t	max_image;		/* bytes of the packed image */
} SpLimits;

#define SP_FEATURES_CAP 1000000

typedef struct SpContext
{
	SpAllocator alloc;
	SpLimits	limits;
	/* polled during long work; true means stop: SP_ERR_CANCELLED. May be NULL */
	bool		(*stop) (void *arg);
	void	   *stop_arg;
	/* byte of the file that is being read, or SP_NO_OFFSET: the offset of SP_ERR_FORMAT errors */
	uint64_t	position;
	SpError		error;
} SpContext;

/* A string that is not terminated by a zero byte; never owns its bytes. */
typedef struct SpStr
{
	const char *data;
	size_t		size;
} SpStr;

#define SP_STR(literal) ((SpStr) {(literal), sizeof(literal) - 1})

#define SP_TRY(call) \
	do { \
		SpStatus	sp_try_status_ = (call); \
		if (sp_try_status_ != SP_OK) \
			return sp_try_status_; \
	} while (0)

extern void sp_limits_default(SpLimits *limits);

/* No limits but those of the structures: for what an import has accepted before. */
extern void sp_limits_none(SpLimits *limits);

/* Record an error (clearing detail and hint) and return its status. */
extern SpStatus sp_fail(SpContext *cx, SpStatus status, const char *fmt,...)
			__attribute__((format(printf, 3, 4)));

/* As sp_fail, for errors that belong to one byte of the model file. */
extern SpStatus sp_fail_at(SpContext *cx, uint64_t offset, const char *fmt,...)
			__attribute__((format(printf, 3, 4)));

/*
 * SP_ERR_LIMIT above a limit that can be raised: the hint names the setting of
 * the server, smartpouch.setting.  sp_over_limit gives the hint to an error
 * that another function has recorded; it returns status.
 */
extern SpStatus sp_fail_limit(SpContext *cx, const char *setting, const char *fmt,...)
			__attribute__((format(printf, 3, 4)));
extern SpStatus sp_over_limit(SpContext *cx, const char *setting, SpStatus status);

/* Add a detail or hint to the error just recorded; they return its status. */
extern SpStatus sp_fail_detail(SpContext *cx, const char *fmt,...)
			__attribute__((format(printf, 2, 3)));
extern SpStatus sp_fail_hint(SpContext *cx, const char *fmt,...)
			__attribute__((format(printf, 2, 3)));

/*
 * Allocate count * size bytes, zeroed.  Fails with SP_ERR_MEMORY (also on
 * overflow); *result is NULL then.  A count of 0 gives a valid pointer.
 */
extern SpStatus sp_alloc_array(SpContext *cx, size_t count, size_t size, void **result);

/*
 * Make room for at least need elements in a growable array; *capacity counts
 * elements and grows geometrically.
 */
extern SpStatus sp_grow_array(SpContext *cx, void **array, size_t *capacity,
							  size_t need, size_t size);
extern void sp_free(SpContext *cx, void *pointer);

/* A zero-terminated copy; fails with SP_ERR_LIMIT above max_string. */
extern SpStatus sp_copy_str(SpContext *cx, SpStr str, const char **result);

/* SP_ERR_CANCELLED when the stop callback says so, else SP_OK. */
extern SpStatus sp_poll(SpContext *cx);

extern bool sp_str_eq(SpStr a, SpStr b);
extern bool sp_str_is(SpStr a, const char *literal);

/* True when the bytes are well-formed UTF-8 without zero bytes or control characters. */
extern bool sp_str_is_text(SpStr str);

/*
 * Text of a hostile file made fit for a message: at most 60 bytes, everything
 * but printable ASCII and well-formed UTF-8 shown as '?'.
 */
#define SP_PRINTABLE_SIZE 72
extern const char *sp_printable(SpStr str, char buffer[SP_PRINTABLE_SIZE]);

#endif
