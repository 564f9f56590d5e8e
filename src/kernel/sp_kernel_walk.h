/*
 * src/kernel/sp_kernel_walk.h
 *
 * The walk down a tree, written once for all kinds of nodes.  Included several
 * times by sp_kernel_tree.c with these macros, which it undefines:
 *
 * WALK_NAME(name)	name of a function of this kind
 * WALK_NODE		type of a node
 * WALK_X			type of a column
 * WALK_BITS		bits of a column number; not defined for wide nodes
 *
 * One step of one walk is a chain of dependent loads of some 20 cycles; eight
 * independent walks at a time hide that.  They are pointers in separate
 * variables, not indexes in an array: compilers then keep them in registers at
 * every optimization level, and a step comes down to eight instructions.
 */
#ifdef WALK_BITS
#define WALK_OFFSET(node) ((node).link >> SP_LINK_SHIFT(WALK_BITS))
#define WALK_COLUMN(node, lanes) ((size_t) ((node).link & SP_LINK_MASK(WALK_BITS)) / 4 * (lanes))
#else
#define WALK_OFFSET(node) ((node).offset)
#define WALK_COLUMN(node, lanes) ((size_t) (node).column * (lanes))
#endif

/* Written as "not at or above", which is one carry flag to add; columns hold no NaN. */
#define WALK_STEP(at, lanes, lane) \
	do { \
		const WALK_NODE node_ = *at; \
		uint32_t	offset_ = WALK_OFFSET(node_); \
		offset_ += !(node_.threshold >= x[WALK_COLUMN(node_, lanes) + (lane)]); \
		at += offset_; \
	} while (0)

/*
 * All eight walks to the given depth; walk k reads x[column * lanes + lane k].
 * Walks only ever move forward, so after some levels in which the sum of their
 * addresses has not changed, all of them have arrived in leaves: deep, thin trees
 * are left early.
 */
#define WALK_CHECK_LEVELS 8

#define WALK_ALL(lanes, l0, l1, l2, l3, l4, l5, l6, l7) \
	do { \
		uintptr_t	before_ = 0; \
		for (uint32_t left_ = depth; left_ > 0;) \
		{ \
			uint32_t	levels_ = left_ < WALK_CHECK_LEVELS ? left_ : WALK_CHECK_LEVELS; \
			left_ -= levels_; \
			for (; levels_ > 0; levels_--) \
			{ \
				WALK_STEP(at0, lanes, l0); \
				WALK_STEP(at1, lanes, l1); \
				WALK_STEP(at2, lanes, l2); \
				WALK_STEP(at3, lanes, l3); \
				WALK_STEP(at4, lanes, l4); \
				WALK_STEP(at5, lanes, l5); \
				WALK_STEP(at6, lanes, l6); \
				WALK_STEP(at7, lanes, l7); \
			} \
			if (left_ > 0) \
			{ \
				uintptr_t	sum_ = (uintptr_t) at0 + (uintptr_t) at1 + \
					(uintptr_t) at2 + (uintptr_t) at3 + (uintptr_t) at4 + \
					(uintptr_t) at5 + (uintptr_t) at6 + (uintptr_t) at7; \
				if (sum_ == before_) \
					break; \
				before_ = sum_; \
			} \
		} \
	} while (0)

#define WALK_STORE \
	do { \
		slots[0] = (uint32_t) (at0 - nodes); \
		slots[1] = (uint32_t) (at1 - nodes); \
		slots[2] = (uint32_t) (at2 - nodes); \
		slots[3] = (uint32_t) (at3 - nodes); \
		slots[4] = (uint32_t) (at4 - nodes); \
		slots[5] = (uint32_t) (at5 - nodes); \
		slots[6] = (uint32_t) (at6 - nodes); \
		slots[7] = (uint32_t) (at7 - nodes); \
	} while (0)

/* Eight trees for one row; x[column].  slots gets the places of the leaves. */
static inline void
WALK_NAME(trees) (const void *first_node, const uint32_t *roots, uint32_t depth,
				  const void *columns, uint32_t *slots)
{
	const WALK_NODE *nodes = first_node;
	const WALK_X *x = columns;
	const WALK_NODE *at0 = nodes + roots[0];
	const WALK_NODE *at1 = nodes + roots[1];
	const WALK_NODE *at2 = nodes + roots[2];
	const WALK_NODE *at3 = nodes + roots[3];
	const WALK_NODE *at4 = nodes + roots[4];
	const WALK_NODE *at5 = nodes + roots[5];
	const WALK_NODE *at6 = nodes + roots[6];
	const WALK_NODE *at7 = nodes + roots[7];

	WALK_ALL(1, 0, 0, 0, 0, 0, 0, 0, 0);
	WALK_STORE;
}

/* One tree for eight rows; x[column * 8 + row]. */
static inline void
WALK_NAME(rows) (const void *first_node, uint32_t root, uint32_t depth, const void *columns,
				 uint32_t *slots)
{
	const WALK_NODE *nodes = first_node;
	const WALK_X *x = columns;
	const WALK_NODE *at0 = nodes + root;
	const WALK_NODE *at1 = at0;
	const WALK_NODE *at2 = at0;
	const WALK_NODE *at3 = at0;
	const WALK_NODE *at4 = at0;
	const WALK_NODE *at5 = at0;
	const WALK_NODE *at6 = at0;
	const WALK_NODE *at7 = at0;

	WALK_ALL(8, 0, 1, 2, 3, 4, 5, 6, 7);
	WALK_STORE;
}

#undef WALK_OFFSET
#undef WALK_COLUMN
#undef WALK_STEP
#undef WALK_CHECK_LEVELS
#undef WALK_ALL
#undef WALK_STORE
#undef WALK_NAME
#undef WALK_NODE
#undef WALK_X
#undef WALK_BITS
