/*
 * src/kernel/sp_kernel_typed.h
 *
 * A file of kernels compiled twice.  The includer defines TEMPLATE, the name
 * of a file whose functions are written with NUMBER, the type of an element,
 * NAME(name), which makes a name its own for each type, and CALL(name), a
 * function of the C library for the type.  It may be included several times.
 */
#define NUMBER float
#define NAME(name) name##_float
#define CALL(name) name##f
#include TEMPLATE
#undef NUMBER
#undef NAME
#undef CALL

#define NUMBER double
#define NAME(name) name##_double
#define CALL(name) name
#include TEMPLATE
#undef NUMBER
#undef NAME
#undef CALL

#undef TEMPLATE

/* Call the one for the type of the row. */
#ifndef SP_TYPED
#define SP_TYPED(name, row) ((row)->type == SP_TYPE_F32 ? name##_float(row) : name##_double(row))
#endif
