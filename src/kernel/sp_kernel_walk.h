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
 * independent walks at a time hide that.  They are separate variables, not an
 * array, because compilers keep only the former in registers at every
 * optimization level.
 */
#ifdef WALK_BITS
#define WALK_OFFSET(node) ((node).link >> SP_LINK_SHIFT(WALK_BITS))
#define WALK_COLUMN(node, lanes) ((size_t) ((node).link & SP_LINK_MASK(WALK_BITS)) / 4 * (lanes))
#else
#define WALK_OFFSET(node) ((node).offset)
#define WALK_COLUMN(node, lanes) ((size_t) (node).column * (lanes))
#endif

#define WALK_STEP(at, lanes, lane) \
	do { \
		const WALK_NODE *node_ = &nodes[at]; \
		at += WALK_OFFSET(*node_) + !(node_->threshold >= x[WALK_COLUMN(*node_, lanes) + (lane)]); \
	} while (0)

/* Deep trees: every few levels, see whether all walks have ended in leaves. */
#define WALK_CHECK_LEVELS 8

#define WALK_ALL(lanes, l0, l1, l2, l3, l4, l5, l6, l7) \
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
		if (left_ > 0 && \
			(WALK_OFFSET(nodes[at0]) | WALK_OFFSET(nodes[at1]) | \
			 WALK_OFFSET(nodes[at2]) | WALK_OFFSET(nodes[at3]) | \
			 WALK_OFFSET(nodes[at4]) | WALK_OFFSET(nodes[at5]) | \
			 WALK_OFFSET(nodes[at6]) | WALK_OFFSET(nodes[at7])) == 0) \
			break; \
	}

/* Eight trees for one row; x[column]. */
static inline void
WALK_NAME(trees) (const void *first_node, const uint32_t *roots, uint32_t depth, const void *columns,
				  uint32_t *slots)
{
	const WALK_NODE *nodes = first_node;
	const WALK_X *x = columns;
	uint32_t	at0 = roots[0];
	uint32_t	at1 = roots[1];
	uint32_t	at2 = roots[2];
	uint32_t	at3 = roots[3];
	uint32_t	at4 = roots[4];
	uint32_t	at5 = roots[5];
	uint32_t	at6 = roots[6];
	uint32_t	at7 = roots[7];

	WALK_ALL(1, 0, 0, 0, 0, 0, 0, 0, 0);
	slots[0] = at0;
	slots[1] = at1;
	slots[2] = at2;
	slots[3] = at3;
	slots[4] = at4;
	slots[5] = at5;
	slots[6] = at6;
	slots[7] = at7;
}

/* One tree for eight rows; x[column * 8 + row]. */
static inline void
WALK_NAME(rows) (const void *first_node, uint32_t root, uint32_t depth, const void *columns,
				 uint32_t *slots)
{
	const WALK_NODE *nodes = first_node;
	const WALK_X *x = columns;
	uint32_t	at0 = root;
	uint32_t	at1 = root;
	uint32_t	at2 = root;
	uint32_t	at3 = root;
	uint32_t	at4 = root;
	uint32_t	at5 = root;
	uint32_t	at6 = root;
	uint32_t	at7 = root;

	WALK_ALL(8, 0, 1, 2, 3, 4, 5, 6, 7);
	slots[0] = at0;
	slots[1] = at1;
	slots[2] = at2;
	slots[3] = at3;
	slots[4] = at4;
	slots[5] = at5;
	slots[6] = at6;
	slots[7] = at7;
}

#undef WALK_OFFSET
#undef WALK_COLUMN
#undef WALK_STEP
#undef WALK_CHECK_LEVELS
#undef WALK_ALL
#undef WALK_NAME
#undef WALK_NODE
#undef WALK_X
#undef WALK_BITS
